"""Linear scVI of scvi-tools: `linear_scvi_runner.py FOLDER ROUNDS N_HIDDEN`."""

import sys
import warnings

from protocol import Protocol

warnings.simplefilter("ignore")


def main(folder, rounds, n_hidden):
    protocol = Protocol()
    import scvi
    from anndata import read_h5ad
    from lightning.pytorch.callbacks import Callback

    with open(f"{folder}/sets.gmt") as file:  # noqa: PTH123
        n_latent = sum(1 for _ in file) + 1
    adata = read_h5ad(f"{folder}/cells.h5ad")
    scvi.model.LinearSCVI.setup_anndata(adata, layer="counts")
    model = scvi.model.LinearSCVI(
        adata, n_hidden=n_hidden, n_layers=2, n_latent=n_latent, dropout_rate=0.2,
        gene_likelihood="nb",
    )  # fmt: skip
    protocol.ready("scvi-tools", "torch")

    class EpochATurn(Callback):
        def on_train_epoch_start(self, trainer, module):
            protocol.wait()

        def on_train_epoch_end(self, trainer, module):  # after the validation
            protocol.done()

    model.train(
        max_epochs=rounds, train_size=0.8, batch_size=128, accelerator="cpu", logger=False,
        plan_kwargs={"lr": 5e-4}, check_val_every_n_epoch=1, enable_progress_bar=False,
        callbacks=[EpochATurn()],
    )  # fmt: skip
    protocol.end()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
