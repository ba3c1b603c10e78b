"""What the project needs of an AWS account: a CloudFormation template, and the policies of its roles."""
