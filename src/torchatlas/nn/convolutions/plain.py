"""The convolution that PyTorch has, and its settings that have names of their own."""

from ...cards.card import borrowed

borrowed(
    "conv2d",
    "torch.nn:Conv2d",
    "Convolution of maps: each output is a weighted sum over a window, by the same weights everywhere",
    formula="y_o(p) = Σ_c Σ_t w_oc(t) x_c(s p + d t) + b_o, the kernel not flipped (a cross-correlation); "
    "side ⌊(n + 2p - d (f - 1) - 1) / s⌋ + 1",
    year=1998,
    paper="LeCun et al., Proceedings of the IEEE",
    aliases=("conv2d_xcorr",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
)

borrowed(
    "conv1x1",
    "torch.nn:Conv2d",
    "1×1 convolution: a linear layer over the channels of each pixel",
    formula="y_o(p) = Σ_c w_oc x_c(p) + b_o: torch.nn.Linear on (batch, h, w, channels); "
    "likewise a kernel of the map's size is a linear layer on the flattened map",
    year=2013,
    paper="arXiv:1312.4400",
    aliases=("pointwise_conv",),
    options={"kernel_size": 1},
    tiny={"in_channels": 4, "out_channels": 4},
    parent="conv2d",
)

borrowed(
    "dilated_conv",
    "torch.nn:Conv2d",
    "Dilated (atrous) convolution: the taps stand d pixels apart, so the window grows and the weights do not",
    formula="y(p) = Σ_t w(t) x(p + d t), d = dilation = 2; the window's side is d (f - 1) + 1",
    year=2015,
    paper="arXiv:1511.07122",
    aliases=("atrous_conv",),
    options={"dilation": 2},
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 2},
    parent="conv2d",
)

borrowed(
    "transposed_conv",
    "torch.nn:ConvTranspose2d",
    "Transposed convolution (deconvolution): the adjoint of a convolution, which makes maps larger",
    formula="⟨conv(x), y⟩ = ⟨x, conv_transposed(y)⟩ for the same weights, here (in, out, f, f); "
    "side s (n - 1) - 2p + d (f - 1) + output_padding + 1",
    year=2010,
    paper="Zeiler et al., CVPR",
    aliases=("deconvolution",),
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "stride": 2},
)

borrowed(
    "grouped_conv",
    "torch.nn:Conv2d",
    "Grouped convolution: independent convolutions of groups of channels, side by side",
    formula="each of g = groups = 2 makes out / g channels from in / g; weights and products are 1 / g",
    year=2012,
    paper="Krizhevsky et al., NeurIPS",
    options={"groups": 2},
    tiny={"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1},
    parent="conv2d",
)
