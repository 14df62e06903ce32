"""What regenerating the paper takes beside the model: its data, its analyses, its claims.

One module per phase of the workflow (`download`, `formats`, `preprocess`, `simulate`,
`analyse`, `claims`, `figures`), each called by the thin scripts of the same phase. The model
itself is the package `vega`, which knows nothing of what is here.
"""
