#include "tests/parity/oracle.h"

#include <stdlib.h>
#include <string.h>

/* One stage's weights through the run. */
struct history {
	int first; /* its layers */
	int count;
	size_t size;
	double *versions; /* [version][size]: all of them, none is ever overwritten */
	double *gradient; /* of the mini-batch whose backward is under way; zero between mini-batches */
	double *unused;   /* the same for a backward by the input alone */
	double *blend;    /* weights between two versions */
	double *momentum; /* [lineage - 1][size] */
};

struct trainer {
	const struct oracle_plan *plan;
	const struct oracle_training *training;
	struct history *stages;
	/* Of all samples of the run: output of each layer as its forward left it, and the loss's derivative by it. */
	double *activation[ORACLE_LAYERS];
	double *again[ORACLE_LAYERS]; /* output of each layer when the backward ran the stage's forward again */
	double *derivative[ORACLE_LAYERS];
	double *losses; /* [mini - 1] */
};

/* The samples of a micro-batch: the first one, counted over the run, and how many. */
static size_t micro_rows(const struct trainer *trainer, int mini, int micro, int *rows)
{
	const int batch = trainer->training->batch;
	const int parts = trainer->plan->micro_batches;
	size_t first = (size_t)(mini - 1) * (size_t)batch;

	for (int j = 0; j < micro; j++)
		first += (size_t)(batch / parts + (j < batch % parts));
	*rows = batch / parts + (micro < batch % parts);
	return first;
}

/* The input of a layer for the samples from `first` on. */
static const double *input(const struct trainer *trainer, int layer, size_t first)
{
	const double *rows = layer == 0 ? trainer->training->samples : trainer->activation[layer - 1];

	return rows + first * (size_t)trainer->training->mlp.width[layer];
}

static double *output(const struct trainer *trainer, double *const *arrays, int layer, size_t first)
{
	return arrays[layer] + first * (size_t)trainer->training->mlp.width[layer + 1];
}

static const double *weights_of(const struct history *stage, int version)
{
	return stage->versions + (size_t)version * stage->size;
}

/* Runs a layer of the stage on rows x in. */
static void run_layer(const struct trainer *trainer, const struct history *stage, const double *w, int layer, int rows,
                      const double *x, double *y)
{
	const struct oracle_mlp *mlp = &trainer->training->mlp;

	oracle_mlp_forward(mlp, layer, w + oracle_mlp_size(mlp, stage->first, layer - stage->first), rows, x, y);
}

/* The loss of outputs of the last layer; its derivative by them goes where the backward will look for it. */
static double loss_of(const struct trainer *trainer, double *const *outputs, int rows, size_t first)
{
	const struct oracle_training *training = trainer->training;

	return oracle_mlp_loss(training->mlp.width[ORACLE_LAYERS], rows,
	                       output(trainer, outputs, ORACLE_LAYERS - 1, first), training->labels + first,
	                       training->batch, output(trainer, trainer->derivative, ORACLE_LAYERS - 1, first));
}

static void forward(struct trainer *trainer, const struct oracle_op *op, int micro)
{
	const struct history *stage = &trainer->stages[op->stage];
	int rows;
	size_t first = micro_rows(trainer, op->mini, micro, &rows);

	for (int l = stage->first; l < stage->first + stage->count; l++)
		run_layer(trainer, stage, weights_of(stage, op->version), l, rows, input(trainer, l, first),
		          output(trainer, trainer->activation, l, first));
	if (op->stage == trainer->plan->stages - 1)
		trainer->losses[op->mini - 1] += loss_of(trainer, trainer->activation, rows, first);
}

/* What the backward of a micro-batch reads; valid until the next call. */
static const double *backward_weights(const struct history *stage, const struct oracle_op *op, int micro)
{
	const double *newest = weights_of(stage, op->version);
	const double *tagged = op->tags == NULL ? newest : weights_of(stage, op->tags[micro]);

	if (op->lambda == NULL || tagged == newest)
		return tagged;
	for (size_t k = 0; k < stage->size; k++)
		stage->blend[k] = op->lambda[micro] * tagged[k] + (1 - op->lambda[micro]) * newest[k];
	return stage->blend;
}

static void backward(struct trainer *trainer, const struct oracle_op *op, int micro)
{
	const struct oracle_mlp *mlp = &trainer->training->mlp;
	const struct history *stage = &trainer->stages[op->stage];
	const bool recompute = trainer->plan->recompute;
	double *const *outputs = recompute ? trainer->again : trainer->activation;
	const double *w = backward_weights(stage, op, micro);
	double *gradient = op->part == ORACLE_INPUT ? stage->unused : stage->gradient;
	int rows;
	size_t first = micro_rows(trainer, op->mini, micro, &rows);

	/* BW finds what BX recomputed. */
	for (int l = stage->first; recompute && op->part != ORACLE_WEIGHT && l < stage->first + stage->count; l++)
		run_layer(trainer, stage, w, l, rows,
		          l == stage->first ? input(trainer, l, first) : output(trainer, outputs, l - 1, first),
		          output(trainer, outputs, l, first));
	if (recompute && op->part != ORACLE_WEIGHT && op->stage == trainer->plan->stages - 1)
		(void)loss_of(trainer, outputs, rows, first);
	for (int l = stage->first + stage->count - 1; l >= stage->first; l--) {
		size_t offset = oracle_mlp_size(mlp, stage->first, l - stage->first);
		const double *x = l == stage->first ? input(trainer, l, first) : output(trainer, outputs, l - 1, first);
		bool by_input = l > 0 && op->part != ORACLE_WEIGHT;

		oracle_mlp_backward(mlp, l, w + offset, rows, x, output(trainer, outputs, l, first),
		                    output(trainer, trainer->derivative, l, first),
		                    by_input ? output(trainer, trainer->derivative, l - 1, first) : NULL,
		                    gradient + offset);
	}
}

/* The update that follows a mini-batch's last backward: its version, from the live one or that of its lineage. */
static void update(struct trainer *trainer, const struct oracle_op *op)
{
	const struct oracle_plan *plan = trainer->plan;
	const struct oracle_training *training = trainer->training;
	struct history *stage = &trainer->stages[op->stage];
	const size_t bytes = stage->size * sizeof(double);
	const int fork = plan->forked_from[op->mini - 1];
	double *momentum = stage->momentum + (size_t)(plan->lineage[op->mini - 1] - 1) * stage->size;

	if (fork > 0)
		memcpy(momentum, stage->momentum + (size_t)(fork - 1) * stage->size, bytes);
	oracle_mlp_sgd(stage->size, weights_of(stage, plan->independent ? op->version : op->mini - 1), stage->gradient,
	               momentum, stage->versions + (size_t)op->mini * stage->size, training->lr, training->momentum,
	               training->weight_decay);
	memset(stage->gradient, 0, bytes);
}

static void run(struct trainer *trainer, const struct oracle_op *op)
{
	const int first = op->micro < 0 ? 0 : op->micro;
	const int last = op->micro < 0 ? trainer->plan->micro_batches - 1 : op->micro;

	for (int j = first; j <= last; j++)
		if (op->backward)
			backward(trainer, op, j);
		else
			forward(trainer, op, j);
	if (op->update)
		update(trainer, op);
}

/* What the next epoch calls its first version, and this one its last, is the head of lineage 1, at every stage. */
static void end_epoch(struct trainer *trainer, int epoch)
{
	const struct oracle_plan *plan = trainer->plan;
	const int newest = (epoch + 1) * plan->mini_batches;
	int head = newest;

	while (plan->lineage[head - 1] != 1)
		head--;
	for (int s = 0; s < plan->stages; s++) {
		const struct history *stage = &trainer->stages[s];

		memmove(stage->versions + (size_t)newest * stage->size, weights_of(stage, head),
		        stage->size * sizeof(double));
	}
}

static bool blocks_fit(const struct oracle_plan *plan, const int *blocks)
{
	int sum = 0;

	if (plan->stages == 1)
		return true;
	for (int s = 0; s < plan->stages; s++) {
		if (blocks[s] < 1)
			return false;
		sum += blocks[s];
	}
	return sum == ORACLE_LAYERS;
}

static void start(struct trainer *trainer)
{
	const struct oracle_plan *plan = trainer->plan;
	const struct oracle_training *training = trainer->training;
	const struct oracle_mlp *mlp = &training->mlp;
	const size_t minis = (size_t)plan->epochs * (size_t)plan->mini_batches;
	int layer = 0;

	trainer->stages = oracle_array((size_t)plan->stages, sizeof(*trainer->stages));
	for (int s = 0; s < plan->stages; s++) {
		struct history *stage = &trainer->stages[s];

		stage->first = layer;
		stage->count = plan->stages == 1 ? ORACLE_LAYERS : training->blocks[s];
		stage->size = oracle_mlp_size(mlp, stage->first, stage->count);
		stage->versions = oracle_array((minis + 1) * stage->size, sizeof(double));
		stage->gradient = oracle_array(stage->size, sizeof(double));
		stage->unused = oracle_array(stage->size, sizeof(double));
		stage->blend = oracle_array(stage->size, sizeof(double));
		stage->momentum = oracle_array((size_t)plan->mini_batches * stage->size, sizeof(double));
		memcpy(stage->versions, training->weights + oracle_mlp_size(mlp, 0, stage->first),
		       stage->size * sizeof(*stage->versions));
		layer += stage->count;
	}
	for (int l = 0; l < ORACLE_LAYERS; l++) {
		size_t count = minis * (size_t)training->batch * (size_t)mlp->width[l + 1];

		trainer->activation[l] = oracle_array(count, sizeof(double));
		trainer->again[l] = oracle_array(count, sizeof(double));
		trainer->derivative[l] = oracle_array(count, sizeof(double));
	}
	trainer->losses = oracle_array(minis, sizeof(double));
}

static void finish(struct trainer *trainer)
{
	for (int s = 0; s < trainer->plan->stages; s++) {
		free(trainer->stages[s].versions);
		free(trainer->stages[s].gradient);
		free(trainer->stages[s].unused);
		free(trainer->stages[s].blend);
		free(trainer->stages[s].momentum);
	}
	free(trainer->stages);
	for (int l = 0; l < ORACLE_LAYERS; l++) {
		free(trainer->activation[l]);
		free(trainer->again[l]);
		free(trainer->derivative[l]);
	}
	free(trainer->losses);
}

bool oracle_train(const struct oracle_plan *plan, const struct oracle_training *training, double *final, double *losses)
{
	struct trainer trainer = {.plan = plan, .training = training};
	const size_t minis = (size_t)plan->epochs * (size_t)plan->mini_batches;

	if (plan->micro_batches > training->batch || training->batch < 1 || !blocks_fit(plan, training->blocks))
		return false;
	start(&trainer);
	for (size_t k = 0; k < plan->op_count; k++) {
		run(&trainer, &plan->ops[k]);
		if (k + 1 == plan->op_count || plan->ops[k + 1].epoch > plan->ops[k].epoch)
			end_epoch(&trainer, plan->ops[k].epoch);
	}
	for (int s = 0; s < plan->stages; s++) {
		const struct history *stage = &trainer.stages[s];

		memcpy(final + oracle_mlp_size(&training->mlp, 0, stage->first), stage->versions + minis * stage->size,
		       stage->size * sizeof(*final));
	}
	if (losses != NULL)
		memcpy(losses, trainer.losses, minis * sizeof(*losses));
	finish(&trainer);
	return true;
}
