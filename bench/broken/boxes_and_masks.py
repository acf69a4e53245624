"""Broken formulas of boxes, masks and metrics."""

from bench.broken.mutation import Mutation

BOX_LOSSES = (
    Mutation(
        "iou_loss",
        "factor: the logarithm of the square",
        "iou.clamp_min(SMALLEST).log() if",
        "iou.square().clamp_min(SMALLEST).log() if",
    ),
    Mutation("linear_iou_loss", "missing term: IoU squared", "else 1 - iou\n", "else 1 - iou**2\n"),
    Mutation(
        "giou_loss",
        "wrong whole: the union for the hull",
        "/ around.clamp_min(least)",
        "/ either.clamp_min(least)",
    ),
    Mutation(
        "diou_loss",
        "missing term: the centres",
        "return 1 - overlap(prediction, target) + centre_distance(prediction, target)",
        "return 1 - overlap(prediction, target) + 0 * prediction.sum(-1)",
    ),
    Mutation(
        "diou_loss",
        "missing square: of the diagonal",
        "width.square() + height.square()",
        "width.square() + height.square() / 2",
        page="nn/boxes/iou.py",
    ),
    Mutation(
        "ciou_loss",
        "gradient: α is not held fast",
        "missing = (1 - iou + v).detach()\n        alpha = v.detach()",
        "missing = 1 - iou + v\n        alpha = v",
    ),
    Mutation("ciou_loss", "factor: 4/π", "4 / math.pi**2", "4 / math.pi"),
    Mutation(
        "eiou_loss",
        "wrong whole: width over the own side",
        "around.square().clamp_min",
        "own.square().clamp_min",
    ),
    Mutation(
        "focal_eiou_loss", "gradient: through the weight", "iou.detach() ** self.gamma", "iou ** self.gamma"
    ),
    Mutation("siou_loss", "factor: half an angle", "angle = 2 * (across", "angle = 1 * (across"),
    Mutation("siou_loss", "missing half", "+ (distance + shape) / 2", "+ (distance + shape)"),
    Mutation(
        "mpdiou_loss",
        "missing square: of a side",
        "self.height**2 + self.width**2",
        "self.height**2 + self.width",
    ),
    Mutation("balanced_l1", "missing term: b", "self.b = math.expm1(", "self.b = math.exp("),
    Mutation(
        "dynamic_smooth_l1",
        "wrong bend: the first β",
        "beta = self.now.to(error.dtype)",
        "beta = 0 * self.now.to(error.dtype) + self.beta",
    ),
    Mutation(
        "dynamic_smooth_l1",
        "wrong rank: the next error",
        "min(self.smallest, len(errors)) - 1",
        "min(self.smallest + 1, len(errors)) - 1",
    ),
)

MASK_LOSSES = (
    Mutation("dice_loss", "factor: TP once", "self.share(2 * tp, whole)", "self.share(tp, whole)"),
    Mutation(
        "soft_iou_loss",
        "missing term: FN",
        "(counts.tp, counts.tp + counts.fp + counts.fn)",
        "(counts.tp, counts.tp + counts.fp)",
    ),
    Mutation(
        "tversky_loss",
        "swapped: α and β",
        "self.alpha * counts.fp + self.beta * counts.fn",
        "self.beta * counts.fp + self.alpha * counts.fn",
    ),
    Mutation("focal_tversky_loss", "inverse: γ", "** (1 / self.gamma)", "** self.gamma"),
    Mutation(
        "asymmetric_similarity",
        "swapped: β² on what is made up",
        "super().__init__(1 - lean, lean, smooth",
        "super().__init__(lean, 1 - lean, smooth",
    ),
    Mutation(
        "generalized_dice",
        "missing square: of the size",
        "size.where(there, 1).square()",
        "size.where(there, 1)",
    ),
    Mutation(
        "penalty_gd_loss",
        "sign: of the penalty",
        "dice / (1 + self.k * (1 - dice))",
        "dice / (1 - self.k * (dice - 1) / 2)",
    ),
    Mutation(
        "sensitivity_specificity",
        "swapped: the weights",
        "self.sensitivity * inside + (1 - self.sensitivity) * outside",
        "self.sensitivity * outside + (1 - self.sensitivity) * inside",
    ),
    Mutation(
        "weighted_ce",
        "wrong class: the weight",
        "(scores.dtype)[truth]",
        "(scores.dtype)[truth - 1]",
    ),
    Mutation("topk_ce", "rounding: down", "self.k / 100).ceil()", "self.k / 100).floor()"),
    Mutation("dpce_loss", "sign: far pixels weigh more", "(1 - ratio(away, far))", "ratio(away, far, 0.0)"),
    Mutation("dpce_loss", "missing term: the 1", "weight = 1 + self.penalty", "weight = 0.5 + self.penalty"),
    Mutation(
        "boundary_loss",
        "sign: positive inside",
        "torch.where(mine, -away, away)",
        "torch.where(mine, away, away)",
    ),
    Mutation(
        "hausdorff_dt_loss",
        "missing term: the prediction's distance",
        " + to_other_side(p > 0.5) ** self.alpha",
        "",
    ),
    Mutation(
        "hausdorff_dt_loss",
        "missing square: of distances along a line",
        "(places - place).square()",
        "(places - place).abs()",
        page="losses/masks/distance.py",
    ),
    Mutation(
        "lovasz_softmax",
        "order: from the smallest",
        ".sort(2, descending=True)",
        ".sort(2, descending=False)",
    ),
    Mutation(
        "lovasz_softmax",
        "wrong mean: over all classes",
        "there.sum(1).to(losses.dtype), 0.0)",
        "there.new_full((len(there),), there.shape[1]).add(there.shape[1]).to(losses.dtype), 0.0)",
    ),
    Mutation(
        "lovasz_hinge", "missing term: the margin", "errors = (1 - scores.where", "errors = (0 - scores.where"
    ),
)

SUPPRESSION = (
    Mutation(
        "adaptive_nms",
        "wrong box: the density of the one that falls",
        "limits[rows][:, None]",
        "limits[columns]",
    ),
    Mutation("diou_nms", "missing term: the distance", "nearness=beta", "nearness=None"),
    Mutation("soft_nms", "missing square: of the overlap", "(-iou.square() / sigma)", "(-iou / sigma)"),
    Mutation(
        "soft_nms",
        "strict: of the threshold's side",
        "(1 - iou).where(iou >= threshold, 1)",
        "(1 - iou).where(iou < threshold, 1)",
    ),
    Mutation("iou_guided_nms", "wrong score: the least of the cluster", '"amax"', '"amin"'),
    Mutation(
        "weighted_nms",
        "missing factor: the overlap",
        "ranked.scores * ranked.with_owner(owner)",
        "ranked.scores",
    ),
    Mutation("softer_nms", "missing square", "(-(1 - iou).square() / sigma)", "(-(1 - iou) / sigma)"),
    Mutation(
        "fast_nms",
        "strict: from the other side",
        "heaviest(ranked) <= threshold",
        "heaviest(ranked) >= threshold",
    ),
    Mutation(
        "cluster_nms",
        "missing rounds: one too few",
        "now[worse[keep[better]]] = False",
        "now[worse] = False",
        page="nn/boxes/ranking.py",
    ),
    Mutation(
        "cluster_nms",
        "missing square: of the penalty",
        "(some[:, None] < every)).square().sum(0)",
        "(some[:, None] < every)).sum(0)",
    ),
    Mutation(
        "matrix_nms",
        "missing term: what covers the other",
        "overlaps.square() - covered[before].square()",
        "overlaps.square() - 0 * covered[before]",
    ),
)

METRICS = (
    Mutation(
        "confusion_matrix",
        "axis: truth in columns",
        "truth.where(counted, classes) * (classes + 1) + found",
        "truth.where(counted, classes) + found * (classes + 1)",
    ),
    Mutation(
        "pixel_accuracy",
        "axis: over the pixels found",
        "self.hits().sum().double() / self.pixels.sum()",
        "self.hits().sum().double() / self.pixels[:, :1].sum()",
    ),
    Mutation(
        "class_pixel_accuracy",
        "axis: of the truth",
        '(self.found() if self.axis == "prediction" else self.truths())',
        '(self.truths() if self.axis == "prediction" else self.found())',
    ),
    Mutation(
        "mean_pixel_accuracy",
        "wrong mean: absent classes count",
        "torch.nanmean(self.per_class())",
        "self.per_class().nan_to_num().mean()",
    ),
    Mutation("iou_metric", "missing term: both counted twice", "self.found() - both", "self.found()"),
    Mutation(
        "fw_iou",
        "wrong weight: one each",
        "(truths * self.per_class()).nansum() / truths.sum()",
        "self.per_class().nanmean() + 0 * truths.sum()",
    ),
    Mutation("dice_coefficient", "factor: once", "2 * self.hits().double()", "self.hits().double()"),
    Mutation("precision_recall_f", "missing square: of β", "self.beta**2", "self.beta"),
    Mutation(
        "precision_recall_f",
        "swapped: precision and recall",
        "torch.stack([precision, recall, f], 1)",
        "torch.stack([recall, precision, f], 1)",
    ),
    Mutation(
        "pr_curve", "wrong whole: all findings", "true.double() / self.truths]", "true.double() / found[-1]]"
    ),
    Mutation("average_precision", "missing term: the best beyond", ".flip(0).cummax(0).values.flip(0)", ""),
    Mutation(
        "mean_average_precision",
        "a truth is met again",
        "taken[every, place] |= hits[row]",
        "taken[every, place] |= False",
    ),
    Mutation(
        "mean_average_precision",
        "wrong rank: the worst are kept",
        "order = order[better < self.max_detections]",
        "order = order[-self.max_detections :]",
    ),
    Mutation("pcp", "either end does", "torch.maximum(off", "torch.minimum(off"),
    Mutation(
        "pck", "factor: half the scale", "self.threshold * wide(scale)", "self.threshold / 2 * wide(scale)"
    ),
    Mutation("pckh", "factor: the whole diagonal", "0.6 * distances", "1.0 * distances"),
    Mutation(
        "mpjpe",
        "wrong mean: hidden joints count",
        "off.where(seen, 0).sum()\n        self.seen += seen.sum()",
        "off.where(seen, 0).sum()\n        self.seen += seen.numel()",
    ),
    Mutation("oks", "factor: k = σ", "spread = 8 *", "spread = 2 *"),
    Mutation(
        "ap_oks",
        "missing case: people without joints count",
        "labelled = (visibility > 0).any(-1)",
        "labelled = (visibility > -1).any(-1)",
    ),
    Mutation("psnr", "factor: 20 for 10", "return -10 *", "return -20 *"),
    Mutation("ssim", "factor: σ = 1", "window, sigma, k1, k2 = 11, 1.5,", "window, sigma, k1, k2 = 11, 1.0,"),
    Mutation("ssim", "missing factor: of the covariance", "(2 * both + c2)", "(both + c2)"),
)

MUTATIONS: tuple[Mutation, ...] = (*BOX_LOSSES, *MASK_LOSSES, *SUPPRESSION, *METRICS)
