"""A trained model made smaller, and what that costs: int8 after training, magnitude pruning with retraining."""
