"""Classical models of scikit-learn: baselines, students of networks, and explanations."""
