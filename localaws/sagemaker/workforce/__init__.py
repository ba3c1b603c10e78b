"""The people of SageMaker: a region's workforce, its work teams, and who belongs to them."""
