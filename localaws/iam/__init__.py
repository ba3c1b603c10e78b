"""The policy simulator of IAM: what identities may do, by the policies that moto keeps for them."""
