"""Gene sets and genes that the paper's panels and claims name."""

INTERFERON_AB = "REACTOME_INTERFERON_ALPHA_BETA_SIGNALING"
INTERFERON = "REACTOME_INTERFERON_SIGNALING"
CYTOKINE = "REACTOME_CYTOKINE_SIGNALING_IN_IMMUNE_SYSTEM"
ANTIVIRAL = "REACTOME_ANTIVIRAL_MECHANISM_BY_IFN_STIMULATED_GENES"
TRYPTOPHAN = "REACTOME_TRYPTOPHAN_CATABOLISM"
B_CELL_RECEPTOR = "REACTOME_SIGNALING_BY_THE_B_CELL_RECEPTOR_BCR"
APOPTOSIS = "REACTOME_INTRINSIC_PATHWAY_FOR_APOPTOSIS"

# Each of them should tell stimulated from control cells by itself (Fig. S9), in the paper's order.
INTERFERON_RELATED = (CYTOKINE, ANTIVIRAL, INTERFERON_AB, INTERFERON)

# Genes of INTERFERON_AB that are removed from the set in the models of Fig. S10.
REMOVED = ("ISG15", "IFIT2", "ISG20")

# Figure 3: the marker set of each cell type of the organoids; MKI67 marks cycling cells, and is in
# no Reactome set.
MARKER_SETS = {
    "Cajal-Retzius": "Cajal-Retzius Neurons",
    "Neural Epithelium": "Neuroepithelium",
    "Radial Glia": "Radial Glia Cells",
}
CELL_CYCLE = "REACTOME_CELL_CYCLE_MITOTIC"
PROLIFERATION = "MKI67"
