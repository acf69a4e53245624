"""Broken maps of layers and rectified signals."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "gradcam",
        "axis: one weight for all maps",
        "slope.mean((2, 3), keepdim",
        "slope.mean((1, 2, 3), keepdim",
    ),
    Mutation("gradcam", "factor: the sum of slopes, not their mean", "slope.mean((2, 3)", "slope.sum((2, 3)"),
    Mutation("gradcam", "missing term: what speaks against", ".sum(1).relu(), x)", ".sum(1), x)"),
    Mutation(
        "gradcam",
        "wrong place: ReLU of each map",
        "(weigh(maps, slope) * maps).sum(1).relu()",
        "(weigh(maps, slope) * maps).relu().sum(1)",
    ),
    Mutation("gradcam", "corners are aligned", "align_corners=False", "align_corners=True"),
    Mutation("gradcam_pp", "factor: once the squared slope", "below = 2 * slope**2", "below = slope**2"),
    Mutation("gradcam_pp", "axis: the map's mean", "slope**3 * maps.sum((2", "slope**3 * maps.mean((2"),
    Mutation("gradcam_pp", "missing term: falling slopes count", "share * slope.relu()", "share * slope"),
    Mutation("cam", "another class's row", "[class_scores(scores, y)[1]]", "[class_scores(scores, None)[1]]"),
    Mutation("guided_backprop", "missing term: what went in", "signal.relu() * (f > 0)", "signal.relu()"),
    Mutation(
        "guided_backprop",
        "sign: only falling signals",
        "signal.relu() * (f > 0)",
        "-(-signal).relu() * (f > 0)",
    ),
    Mutation(
        "deconvnet_vis",
        "it is the gradient",
        "lambda f, signal: signal.relu())",
        "lambda f, signal: signal * (f > 0))",
    ),
    Mutation(
        "guided_gradcam", "missing term: Grad-CAM", "return gradcam(model, x, y, layer=layer) * ", "return "
    ),
)
