#include "results/stand_in.h"

#include <string.h>

bool tp_is_stand_in(const char *device)
{
	size_t length = strlen(device), ending = strlen(TP_STAND_IN_ENDING);
	return length >= ending && strcmp(device + length - ending, TP_STAND_IN_ENDING) == 0;
}
