"""The ReLU family: straight for positive inputs."""

from ...cards.card import borrowed

borrowed(
    "relu",
    "torch.nn:ReLU",
    "ReLU: the positive part",
    formula="max(x, 0), with derivative 0 at 0",
    year=2010,
    paper="Nair and Hinton, ICML",
)

borrowed(
    "relu6",
    "torch.nn:ReLU6",
    "ReLU6: the positive part, at most 6",
    formula="min(max(x, 0), 6)",
    year=2010,
    paper="Krizhevsky, convolutional deep belief networks on CIFAR-10",
)

borrowed(
    "softplus",
    "torch.nn:Softplus",
    "Softplus: a smooth ReLU whose derivative is the sigmoid",
    formula="ln(1 + e^(βx)) / β; x itself where βx > threshold = 20",
    year=2000,
    paper="Dugas et al., NIPS",
)

borrowed(
    "leaky_relu",
    "torch.nn:LeakyReLU",
    "LeakyReLU: a small fixed slope for negative inputs",
    formula="x for x ≥ 0, a x for x < 0; a = negative_slope = 0.01",
    year=2013,
    paper="Maas et al., ICML workshop",
)

borrowed(
    "prelu",
    "torch.nn:PReLU",
    "PReLU: the slope for negative inputs is learned, shared or one per channel",
    formula="x for x ≥ 0, a x for x < 0; a starts at 0.25 and should get no weight decay",
    year=2015,
    paper="arXiv:1502.01852",
)

borrowed(
    "rrelu",
    "torch.nn:RReLU",
    "RReLU: a random slope for negative inputs while training, its mean afterwards",
    formula="x for x ≥ 0, a x for x < 0; training: a ~ U(1/8, 1/3) per element; evaluation: a = 11/48 "
    "(the paper divides by U(3, 8), and by 5.5 afterwards)",
    year=2015,
    paper="arXiv:1505.00853",
)

borrowed(
    "elu",
    "torch.nn:ELU",
    "ELU: negative inputs saturate exponentially, so that means stay near zero",
    formula="x for x ≥ 0, α (eˣ - 1) for x < 0; α = 1",
    year=2015,
    paper="arXiv:1511.07289",
)

borrowed(
    "celu",
    "torch.nn:CELU",
    "CELU: an ELU whose slope at zero is one for every α",
    formula="x for x ≥ 0, α (e^(x/α) - 1) for x < 0; α = 1",
    year=2017,
    paper="arXiv:1704.07483",
)

borrowed(
    "selu",
    "torch.nn:SELU",
    "SELU: an ELU scaled so that zero mean and unit variance are kept from layer to layer",
    formula="λ x for x ≥ 0, λ α (eˣ - 1) for x < 0; λ = 1.0507009873554805, α = 1.6732632423543772",
    year=2017,
    paper="arXiv:1706.02515",
)

borrowed(
    "gelu",
    "torch.nn:GELU",
    "GELU: the input times the chance that a normal number lies below it",
    formula="x Φ(x) = x/2 (1 + erf(x / √2)); approximate='tanh': x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))",
    year=2016,
    paper="arXiv:1606.08415",
)

borrowed(
    "identity",
    "torch.nn:Identity",
    "Identity: nothing happens, so a stack of linear layers collapses into one",
    formula="x",
    year=1986,
)
