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
	double *momentum;
};

struct trainer {
	const struct oracle_plan *plan;
	const struct oracle_training *training;
	struct history *stages;
	/* Of all samples of the run: output of each layer as its forward left it, and the loss's derivative by it. */
	double *activation[ORACLE_LAYERS];
	double *derivative[ORACLE_LAYERS];
	double *losses; /* [mini - 1] */
};

/* The samples of an operation: the first one, counted over the run, and how many. */
static size_t op_rows(const struct trainer *trainer, const struct oracle_op *op, int *rows)
{
	const int batch = trainer->training->batch;
	const int parts = trainer->plan->micro_batches;
	size_t first = (size_t)(op->mini - 1) * (size_t)batch;

	*rows = batch;
	if (op->micro < 0)
		return first;
	for (int j = 0; j <= op->micro; j++) {
		*rows = batch / parts + (j < batch % parts);
		if (j < op->micro)
			first += (size_t)*rows;
	}
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

static void forward(struct trainer *trainer, const struct oracle_op *op)
{
	const struct oracle_mlp *mlp = &trainer->training->mlp;
	const struct history *stage = &trainer->stages[op->stage];
	const double *w = stage->versions + (size_t)op->version * stage->size;
	int rows;
	size_t first = op_rows(trainer, op, &rows);

	for (int l = stage->first; l < stage->first + stage->count; l++) {
		oracle_mlp_forward(mlp, l, w + oracle_mlp_size(mlp, stage->first, l - stage->first), rows,
		                   input(trainer, l, first), output(trainer, trainer->activation, l, first));
	}
}

static void update(struct trainer *trainer, struct history *stage, int version)
{
	const struct oracle_training *training = trainer->training;
	const double *live = stage->versions + (size_t)(version - 1) * stage->size;
	double *next = stage->versions + (size_t)version * stage->size;

	oracle_mlp_sgd(stage->size, live, stage->gradient, stage->momentum, next, training->lr, training->momentum,
	               training->weight_decay);
	memset(stage->gradient, 0, stage->size * sizeof(*stage->gradient));
}

static void backward(struct trainer *trainer, const struct oracle_op *op)
{
	const struct oracle_training *training = trainer->training;
	const struct oracle_mlp *mlp = &training->mlp;
	struct history *stage = &trainer->stages[op->stage];
	const double *w = stage->versions + (size_t)op->version * stage->size;
	int rows;
	size_t first = op_rows(trainer, op, &rows);

	if (op->stage == trainer->plan->stages - 1)
		trainer->losses[op->mini - 1] += oracle_mlp_loss(
		        mlp->width[ORACLE_LAYERS], rows, output(trainer, trainer->activation, ORACLE_LAYERS - 1, first),
		        training->labels + first, training->batch,
		        output(trainer, trainer->derivative, ORACLE_LAYERS - 1, first));
	for (int l = stage->first + stage->count - 1; l >= stage->first; l--) {
		size_t offset = oracle_mlp_size(mlp, stage->first, l - stage->first);

		oracle_mlp_backward(
		        mlp, l, w + offset, rows, input(trainer, l, first),
		        output(trainer, trainer->activation, l, first), output(trainer, trainer->derivative, l, first),
		        l == 0 ? NULL : output(trainer, trainer->derivative, l - 1, first), stage->gradient + offset);
	}
	if (op->update)
		update(trainer, stage, op->mini);
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
		stage->momentum = oracle_array(stage->size, sizeof(double));
		memcpy(stage->versions, training->weights + oracle_mlp_size(mlp, 0, stage->first),
		       stage->size * sizeof(*stage->versions));
		layer += stage->count;
	}
	for (int l = 0; l < ORACLE_LAYERS; l++) {
		size_t count = minis * (size_t)training->batch * (size_t)mlp->width[l + 1];

		trainer->activation[l] = oracle_array(count, sizeof(double));
		trainer->derivative[l] = oracle_array(count, sizeof(double));
	}
	trainer->losses = oracle_array(minis, sizeof(double));
}

static void finish(struct trainer *trainer)
{
	for (int s = 0; s < trainer->plan->stages; s++) {
		free(trainer->stages[s].versions);
		free(trainer->stages[s].gradient);
		free(trainer->stages[s].momentum);
	}
	free(trainer->stages);
	for (int l = 0; l < ORACLE_LAYERS; l++) {
		free(trainer->activation[l]);
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
	for (size_t k = 0; k < plan->op_count; k++)
		if (plan->ops[k].backward)
			backward(&trainer, &plan->ops[k]);
		else
			forward(&trainer, &plan->ops[k]);
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
