/*
 * Slot plans written by hand, as data for whoever plays the rules. Where a paper's figure is named, the grid
 * is that schedule with every operation one slot long. None was printed by a program.
 */
#ifndef TPBENCH_TESTS_SCHEDULE_KNOWN_GRIDS_H
#define TPBENCH_TESTS_SCHEDULE_KNOWN_GRIDS_H

#include <stdbool.h>

struct known_grid {
	const char *schedule;
	int stages;
	int micro_batches;
	int mini_batches;
	int in_flight;     /* 0: as many as stages */
	int max_staleness; /* 0: no bound */
	bool begins;       /* the grid is the beginning of every line, else all of it */
	const char *grid;  /* one line per stage, each ended by a newline */
};

static const struct known_grid known_grids[] = {
        {.schedule = "sequential", .stages = 3, .micro_batches = 2, .mini_batches = 3, .grid = "1A 1 2A 2 3A 3\n"},

        /* GPipe (NeurIPS'19), figure 2c: all forwards, then all backwards, the last micro-batch first; flush. */
        {.schedule = "gpipe",
         .stages = 2,
         .micro_batches = 4,
         .mini_batches = 2,
         .grid = "1A 1B 1C 1D . . 1d 1c 1b 1a 2A 2B 2C 2D . . 2d 2c 2b 2a\n"
                 ". 1A 1B 1C 1D 1d 1c 1b 1a . . 2A 2B 2C 2D 2d 2c 2b 2a .\n"},
        {.schedule = "gpipe",
         .stages = 4,
         .micro_batches = 4,
         .mini_batches = 1,
         .grid = "1A 1B 1C 1D . . . . . . 1d 1c 1b 1a\n"
                 ". 1A 1B 1C 1D . . . . 1d 1c 1b 1a .\n"
                 ". . 1A 1B 1C 1D . . 1d 1c 1b 1a . .\n"
                 ". . . 1A 1B 1C 1D 1d 1c 1b 1a . . .\n"},

        /* PipeDream-Flush (PipeDream-2BW, ICML'21, figure 2b): W - s in flight, one forward, one backward; flush. */
        {.schedule = "1f1b",
         .stages = 2,
         .micro_batches = 4,
         .mini_batches = 2,
         .grid = "1A 1B . 1a 1C 1b 1D 1c . 1d 2A 2B . 2a 2C 2b 2D 2c . 2d\n"
                 ". 1A 1a 1B 1b 1C 1c 1D 1d . . 2A 2a 2B 2b 2C 2c 2D 2d .\n"},
        {.schedule = "1f1b",
         .stages = 4,
         .micro_batches = 4,
         .mini_batches = 1,
         .grid = "1A 1B 1C 1D . . . 1a . 1b . 1c . 1d\n"
                 ". 1A 1B 1C . . 1a 1D 1b . 1c . 1d .\n"
                 ". . 1A 1B . 1a 1C 1b 1D 1c . 1d . .\n"
                 ". . . 1A 1a 1B 1b 1C 1c 1D 1d . . .\n"},

        /* Zero Bubble (ICLR'24), figure 3, ZB-H1: the bubble of 1F1B less the backwards by the weights. */
        {.schedule = "zb-h1",
         .stages = 2,
         .micro_batches = 4,
         .mini_batches = 1,
         .grid = "1A 1B . 1a 1a' 1b 1C 1b' 1D 1c 1c' 1d 1d'\n"
                 ". 1A 1a 1B 1b 1a' 1b' 1C 1c 1D 1d 1c' 1d'\n"},
        {.schedule = "zb-h1",
         .stages = 4,
         .micro_batches = 4,
         .mini_batches = 1,
         .grid = "1A 1B 1C 1D . . . 1a 1a' 1b 1b' 1c 1c' 1d 1d'\n"
                 ". 1A 1B 1C . . 1a 1D 1b 1a' 1c 1b' 1d 1c' 1d'\n"
                 ". . 1A 1B . 1a 1C 1b 1D 1c 1a' 1d 1b' 1c' 1d'\n"
                 ". . . 1A 1a 1B 1b 1C 1c 1D 1d 1a' 1b' 1c' 1d'\n"},
        {.schedule = "zb-h1",
         .stages = 2,
         .micro_batches = 2,
         .mini_batches = 2,
         .grid = "1A 1B . 1a 1a' 1b 1b' 2A 2B . 2a 2a' 2b 2b'\n"
                 ". 1A 1a 1B 1b 1a' 1b' . 2A 2a 2B 2b 2a' 2b'\n"},

        /* PipeDream (SOSP'19), figure 4: 1F1B of mini-batches; the number of micro-batches must not matter. */
        {.schedule = "pipedream",
         .stages = 2,
         .micro_batches = 4,
         .mini_batches = 4,
         .grid = "1A 2A . 1 3A 2 4A 3 . 4\n"
                 ". 1A 1 2A 2 3A 3 4A 4 .\n"},
        {.schedule = "pipedream",
         .stages = 3,
         .micro_batches = 2,
         .mini_batches = 4,
         .grid = "1A 2A 3A . . 1 4A 2 . 3 . 4\n"
                 ". 1A 2A . 1 3A 2 4A 3 . 4 .\n"
                 ". . 1A 1 2A 2 3A 3 4A 4 . .\n"},
        {.schedule = "pipedream",
         .stages = 4,
         .micro_batches = 4,
         .mini_batches = 6,
         .grid = "1A 2A 3A 4A . . . 1 5A 2 6A 3 . 4 . 5 . 6\n"
                 ". 1A 2A 3A . . 1 4A 2 5A 3 6A 4 . 5 . 6 .\n"
                 ". . 1A 2A . 1 3A 2 4A 3 5A 4 6A 5 . 6 . .\n"
                 ". . . 1A 1 2A 2 3A 3 4A 4 5A 5 6A 6 . . .\n"},
        {.schedule = "pipedream-vsync",
         .stages = 2,
         .micro_batches = 1,
         .mini_batches = 4,
         .grid = "1A 2A . 1 3A 2 4A 3 . 4\n"
                 ". 1A 1 2A 2 3A 3 4A 4 .\n"},
        {.schedule = "timeprest-1f1b",
         .stages = 2,
         .micro_batches = 3,
         .mini_batches = 4,
         .grid = "1A 2A . 1 3A 2 4A 3 . 4\n"
                 ". 1A 1 2A 2 3A 3 4A 4 .\n"},
        /* One more in flight than there are stages fills the gap in stage 0's beginning. */
        {.schedule = "pipedream",
         .stages = 2,
         .micro_batches = 1,
         .mini_batches = 4,
         .in_flight = 3,
         .grid = "1A 2A 3A 1 4A 2 . 3 . 4\n"
                 ". 1A 1 2A 2 3A 3 4A 4 .\n"},

        /* PipeDream-2BW (ICML'21), figure 1: micro-batches as PipeDream's mini-batches, without a flush. */
        {.schedule = "pipedream-2bw",
         .stages = 2,
         .micro_batches = 2,
         .mini_batches = 3,
         .grid = "1A 1B . 1a 2A 1b 2B 2a 3A 2b 3B 3a . 3b\n"
                 ". 1A 1a 1B 1b 2A 2a 2B 2b 3A 3a 3B 3b .\n"},
        {.schedule = "pipedream-2bw",
         .stages = 4,
         .micro_batches = 4,
         .mini_batches = 2,
         .grid = "1A 1B 1C 1D . . . 1a 2A 1b 2B 1c 2C 1d 2D 2a . 2b . 2c . 2d\n"
                 ". 1A 1B 1C . . 1a 1D 1b 2A 1c 2B 1d 2C 2a 2D 2b . 2c . 2d .\n"
                 ". . 1A 1B . 1a 1C 1b 1D 1c 2A 1d 2B 2a 2C 2b 2D 2c . 2d . .\n"
                 ". . . 1A 1a 1B 1b 1C 1c 1D 1d 2A 2a 2B 2b 2C 2c 2D 2d . . .\n"},

        /* TiMePReSt, figure 2c. */
        {.schedule = "timeprest",
         .stages = 3,
         .micro_batches = 2,
         .mini_batches = 9,
         .begins = true,
         .grid = "1A 1B 2A 2B 3A 3B 1 4A 4B 2 5A 5B 3 6A 6B 4 7A 7B\n"
                 ". 1A 1B 2A 2B 1 3A 3B 2 4A 4B 3 5A 5B 4 6A 6B 5\n"
                 ". . 1A 1B 1 2A 2B 2 3A 3B 3 4A 4B 4 5A 5B 5 6A\n"},
        /* TiMePReSt, figure 2a. */
        {.schedule = "timeprest",
         .stages = 4,
         .micro_batches = 2,
         .mini_batches = 9,
         .begins = true,
         .grid = "1A 1B 2A 2B 3A 3B 4A 4B 1 5A 5B 2 6A 6B 3 7A 7B 4\n"
                 ". 1A 1B 2A 2B 3A 3B 1 4A 4B 2 5A 5B 3 6A 6B 4 7A\n"
                 ". . 1A 1B 2A 2B 1 3A 3B 2 4A 4B 3 5A 5B 4 6A 6B\n"
                 ". . . 1A 1B 1 2A 2B 2 3A 3B 3 4A 4B 4 5A 5B 5\n"},
        /* A backward comes between two micro-batches, which so get different tags. */
        {.schedule = "timeprest",
         .stages = 2,
         .micro_batches = 3,
         .mini_batches = 3,
         .grid = "1A 1B 1C 2A 2B 1 2C 3A 3B 2 3C . . 3\n"
                 ". 1A 1B 1C 1 2A 2B 2C 2 3A 3B 3C 3 .\n"},
        {.schedule = "timeprest",
         .stages = 1,
         .micro_batches = 28,
         .mini_batches = 1,
         .grid = "1A 1B 1C 1D 1E 1F 1G 1H 1I 1J 1K 1L 1M 1N 1O 1P 1Q 1R 1S 1T 1U 1V 1W 1X 1Y 1Z 1AA 1AB 1\n"},
        /* One in flight: no pipeline. */
        {.schedule = "timeprest",
         .stages = 2,
         .micro_batches = 2,
         .mini_batches = 2,
         .in_flight = 1,
         .grid = "1A 1B . . 1 2A 2B . . 2\n"
                 ". 1A 1B 1 . . 2A 2B 2 .\n"},
        /* Unbounded, v would be 2: the last stage waits for the commit of the mini-batch before, in slots 5, 8, 11. */
        {.schedule = "timeprest",
         .stages = 3,
         .micro_batches = 1,
         .mini_batches = 4,
         .max_staleness = 1,
         .grid = "1A 2A 3A . . 1 4A . 2 . . 3 . . 4\n"
                 ". 1A 2A . 1 3A . 2 4A . 3 . . 4 .\n"
                 ". . 1A 1 2A . 2 3A . 3 4A . 4 . .\n"},
        /* Variants that differ in what is read, not in the order: as TiMePReSt above. */
        {.schedule = "timeprest-stash",
         .stages = 2,
         .micro_batches = 3,
         .mini_batches = 3,
         .grid = "1A 1B 1C 2A 2B 1 2C 3A 3B 2 3C . . 3\n"
                 ". 1A 1B 1C 1 2A 2B 2C 2 3A 3B 3C 3 .\n"},
        {.schedule = "v-timeprest",
         .stages = 2,
         .micro_batches = 3,
         .mini_batches = 3,
         .grid = "1A 1B 1C 2A 2B 1 2C 3A 3B 2 3C . . 3\n"
                 ". 1A 1B 1C 1 2A 2B 2C 2 3A 3B 3C 3 .\n"},
        {.schedule = "i-timeprest",
         .stages = 2,
         .micro_batches = 3,
         .mini_batches = 3,
         .grid = "1A 1B 1C 2A 2B 1 2C 3A 3B 2 3C . . 3\n"
                 ". 1A 1B 1C 1 2A 2B 2C 2 3A 3B 3C 3 .\n"},
};

enum { KNOWN_GRIDS = sizeof(known_grids) / sizeof(known_grids[0]) };

#endif
