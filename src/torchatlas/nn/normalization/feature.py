"""Normalisation of features, by statistics of the batch, the sample, a channel or a group of channels."""

from ...cards.card import borrowed

borrowed(
    "lrn",
    "torch.nn:LocalResponseNorm",
    "Local response normalisation in PyTorch's form: α is divided by the number of channels",
    formula="x / (k + α/n Σ x²)^β over the n nearest channels; k = 1, α = 1e-4, β = 0.75 "
    "(AlexNet does not divide: its n = 5, α = 1e-4, k = 2 are size=5, alpha=5e-4, k=2 here)",
    year=2012,
    paper="Krizhevsky et al., NeurIPS",
    tiny={"size": 3},
)

borrowed(
    "batch_norm",
    "torch.nn:BatchNorm2d",
    "Batch normalisation of images: each channel by its mean and variance over the batch",
    formula="γ (x - μ) / √(σ² + ε) + β with the biased σ²; the running variance keeps the unbiased one",
    year=2015,
    paper="arXiv:1502.03167",
    tiny={"num_features": 4},
)

borrowed(
    "sync_batch_norm",
    "torch.nn:SyncBatchNorm",
    "Batch normalisation with statistics over the batches of all processes",
    formula="as batch_norm; the sums of x and x² and the counts are added over the processes first",
    year=2017,
    paper="arXiv:1711.07240",
    tiny={"num_features": 4},
    parent="batch_norm",
)

borrowed(
    "layer_norm",
    "torch.nn:LayerNorm",
    "Layer normalisation: each sample by its own mean and variance",
    formula="γ (x - μ) / √(σ² + ε) + β over the last dimensions (normalized_shape)",
    year=2016,
    paper="arXiv:1607.06450",
    tiny={"normalized_shape": 4},
)

borrowed(
    "instance_norm",
    "torch.nn:InstanceNorm2d",
    "Instance normalisation: each channel of each image by its own mean and variance",
    formula="(x - μ) / √(σ² + ε) over height and width; affine=True adds γ and β",
    year=2016,
    paper="arXiv:1607.08022",
    tiny={"num_features": 4},
)

borrowed(
    "group_norm",
    "torch.nn:GroupNorm",
    "Group normalisation: groups of channels of each sample by their own mean and variance",
    formula="γ (x - μ) / √(σ² + ε) + β over each group's channels and positions",
    year=2018,
    paper="arXiv:1803.08494",
    tiny={"num_groups": 2, "num_channels": 4},
)

borrowed(
    "rms_norm",
    "torch.nn:RMSNorm",
    "RMSNorm: layer normalisation without the mean and without a bias",
    formula="γ x / √(mean x² + ε); eps=None is the number type's machine epsilon",
    year=2019,
    paper="arXiv:1910.07467",
    tiny={"normalized_shape": 4},
)
