"""Tables of the user: separated files, JSON and Parquet, as other programs write them."""
