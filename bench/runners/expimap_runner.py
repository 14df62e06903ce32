"""expiMap of scArches 0.6.1, in its own environment: `expimap_runner.py FOLDER ROUNDS N_HIDDEN`.

With 0 rounds it trains until it stops by itself, in one turn.
"""

import logging
import sys
import warnings

from protocol import Protocol

warnings.simplefilter("ignore")
logging.disable()
# As in the tutorial of scArches for a reference of expiMap.
TUTORIAL = {"alpha": 0.7, "alpha_kl": 0.5, "alpha_epoch_anneal": 100, "weight_decay": 0.0}
STOPPING = {
    "early_stopping_metric": "val_unweighted_loss", "threshold": 0, "patience": 50,
    "reduce_lr": True, "lr_patience": 13, "lr_factor": 0.1,
}  # fmt: skip
MOST_EPOCHS = 400


def main(folder, rounds, n_hidden):
    protocol = Protocol()
    import numpy as np
    import scarches
    from anndata import read_h5ad
    from scarches.trainers import expiMapTrainer

    adata = read_h5ad(f"{folder}/cells.h5ad")
    adata.X = adata.layers.pop("counts")
    adata.obs["all"] = "one"  # it requires a batch
    with open(f"{folder}/sets.gmt") as file:  # noqa: PTH123
        sets = [line.rstrip("\n").split("\t")[2:] for line in file]
    mask = np.stack([adata.var_names.isin(genes) for genes in sets]).astype(float)
    model = scarches.models.EXPIMAP(
        adata, condition_key="all", hidden_layer_sizes=[n_hidden] * 2, mask=mask
    )
    protocol.ready("scarches", "torch")
    if rounds:
        begin, end = expiMapTrainer.on_epoch_begin, expiMapTrainer.on_epoch_end

        def on_epoch_begin(trainer, *rates):
            protocol.wait()
            begin(trainer, *rates)

        def on_epoch_end(trainer):  # which validates
            end(trainer)
            protocol.done()

        expiMapTrainer.on_epoch_begin = on_epoch_begin
        expiMapTrainer.on_epoch_end = on_epoch_end
    else:
        protocol.wait()
    model.train(
        n_epochs=rounds or MOST_EPOCHS, batch_size=128, train_frac=0.8, seed=1, monitor=False,
        use_early_stopping=not rounds, early_stopping_kwargs=STOPPING,
        use_stratified_sampling=False, **TUTORIAL,
    )  # fmt: skip
    epochs = model.trainer.epoch + 1
    if not rounds:
        protocol.done(epochs=epochs)
    protocol.end()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
