"""What is particular to a product, one package each; the rest of the harness asks the product and names none."""
