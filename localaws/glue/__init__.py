"""The Glue Data Catalog: what moto, which carries it, does not do as Glue does."""
