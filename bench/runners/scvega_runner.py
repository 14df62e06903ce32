"""scvega 0.0.2, in its own environment: `scvega_runner.py FOLDER ROUNDS EVENT`."""

import collections
import collections.abc
import sys
import warnings

from protocol import Protocol

collections.Iterable = collections.abc.Iterable  # gone since Python 3.10
warnings.simplefilter("ignore")


def main(folder, rounds, event):
    protocol = Protocol()
    from anndata import read_h5ad

    import vega  # scvega's module has the name of ours, which is not installed here

    adata = read_h5ad(f"{folder}/cells.h5ad")
    del adata.layers["counts"]
    vega.utils.setup_anndata(adata)
    model = vega.VEGA(
        adata, gmt_paths=f"{folder}/sets.gmt", add_nodes=1, max_genes=5000, positive_decoder=True,
        beta=1e-4, dropout=0.5, z_dropout=0.5,
    )  # fmt: skip
    protocol.ready("scvega", "torch", "numpy")
    if event == "bayes_factor":
        model.train_vega(n_epochs=1, train_size=0.8)
    for _ in range(rounds):
        protocol.wait()
        if event == "training":
            # Its optimiser restarts each time, so that its losses cannot be compared.
            model.train_vega(n_epochs=1, train_size=0.8, batch_size=128)
        else:
            model.differential_activity("cell_type", mode="vanilla")
        protocol.done()
    protocol.end()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
