"""Decision trees, alone and in numbers."""

from ...cards.card import borrowed

borrowed(
    "decision_tree",
    "sklearn.tree:DecisionTreeClassifier",
    "Decision tree (CART): yes-no questions about single features",
    formula="each split makes the weighted Gini impurity 1 - Σ pₖ² (numbers: the variance) smallest",
    year=1984,
    paper="Breiman et al., Classification and Regression Trees",
    aliases=("cart",),
    regressor="sklearn.tree:DecisionTreeRegressor",
)

borrowed(
    "random_forest",
    "sklearn.ensemble:RandomForestClassifier",
    "Random forest: the mean of trees, each grown on resampled rows and random features",
    formula="mean of the trees' class probabilities, √d features per split (numbers: all d)",
    year=2001,
    paper="Breiman, Machine Learning 45",
    regressor="sklearn.ensemble:RandomForestRegressor",
)

borrowed(
    "gradient_boosting",
    "sklearn.ensemble:HistGradientBoostingClassifier",
    "Gradient boosting of histogram trees: each tree mends what the ones before got wrong",
    formula="F ← F + ν h, h a tree fitted to the loss's gradient g and curvature c; a leaf is -Σg / (Σc + λ)",
    year=2001,
    paper="Friedman, Annals of Statistics 29",
    aliases=("gbdt",),
    regressor="sklearn.ensemble:HistGradientBoostingRegressor",
)
