"""Floor 2: metrics, what a trained model is judged by."""
