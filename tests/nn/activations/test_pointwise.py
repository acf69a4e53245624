"""What activations hold for the gradient, and how the shared pieces behave."""

import pytest
import torch
from torch import nn

from torchatlas.cards.reader import catalog, create
from torchatlas.engine.errors import UsageError
from torchatlas.nn.activations.pointwise import along, horner, one_of, pointwise

LIMIT = 2.0
EXCEPTIONS = {  # how many tensors of the input's size are held, and why more
    "frelu": (2.3, "its convolution and its normalisation each hold their input, and a mask says which won"),
}
CARDS = [card for card in catalog().values() if card.kind == "activation"]
SHAPE = (4, 8, 16, 16)


def held(act: nn.Module, x: torch.Tensor) -> float:
    """The bytes that are saved for the gradient, of each memory once, as a multiple of the input's."""
    seen: dict[int, int] = {}
    parameters = {p.untyped_storage().data_ptr() for p in act.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            seen[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor)  # so that no other tensor takes its place
        return tensor

    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        act(x)
    return sum(seen.values()) / x.untyped_storage().nbytes()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_little_is_held_for_the_gradient(card):
    channels = {"channels": SHAPE[1]} if "channels" in card.tiny else {}
    act = create(card.name, **{**card.tiny, **channels})
    limit, _ = EXCEPTIONS.get(card.name, (LIMIT, ""))
    assert held(act, torch.randn(SHAPE, requires_grad=True)) <= limit + 0.1  # parameters, sums over positions


def test_the_exceptions_are_needed():
    act = create("frelu", channels=SHAPE[1])
    assert held(act, torch.randn(SHAPE, requires_grad=True)) > LIMIT


def test_a_pointwise_function_has_gradients_by_all_its_tensors_and_under_vmap():
    scaled = pointwise(lambda x, a, k: a * x**k, lambda x, a, k: (a * k * x ** (k - 1), x**k))
    x, a = torch.randn(3, 4, dtype=torch.double, requires_grad=True), torch.rand(4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, a: scaled(x, a, 3), (x, a))
    assert torch.autograd.gradgradcheck(lambda x, a: scaled(x, a, 3), (x, a))
    slope = torch.func.grad(lambda a, x: scaled(x, a, 3).sum())
    stacked = torch.func.vmap(slope)(a.detach().expand(2, 4), torch.stack([x, 2 * x]).detach())
    assert torch.allclose(stacked[1], 8 * stacked[0]) and torch.allclose(stacked[0], (x**3).sum(0))


# The first three move buffers or want maps; PyTorch has no stacked form of the last.
STACKABLE = [card for card in CARDS if card.name not in ("meta_acon", "frelu", "pwlu", "rrelu")]


@pytest.mark.parametrize("card", STACKABLE, ids=lambda card: card.name)
def test_nets_of_several_seeds_train_stacked(card):
    nets = [nn.Sequential(nn.Linear(3, 4), create(card.name, **card.tiny).eval()) for _ in range(2)]
    parameters, buffers = torch.func.stack_module_state(nets)
    x = torch.randn(2, 5, 3)

    def loss(parameters, buffers, x):
        return torch.func.functional_call(nets[0], (parameters, buffers), (x,)).square().sum()

    stacked = torch.func.vmap(torch.func.grad(loss))(parameters, buffers, x)
    for k, net in enumerate(nets):
        net(x[k]).square().sum().backward()
        for name, p in net.named_parameters():
            assert torch.allclose(stacked[name][k], p.grad, rtol=1e-4, atol=1e-5), name


def test_half_precision_is_computed_in_single():
    cube = pointwise(lambda x: x**3 / 1e6, lambda x: (3 * x**2 / 1e6,))
    x = torch.tensor([200.0], dtype=torch.float16, requires_grad=True)  # the cube alone would overflow
    y = cube(x)
    y.backward()
    assert y.dtype == x.grad.dtype == torch.float16
    assert y.item() == pytest.approx(8, rel=1e-3) and x.grad.item() == pytest.approx(0.12, rel=1e-3)


def test_the_shared_pieces():
    x, weights = torch.zeros(2, 3, 5), torch.arange(3.0)
    assert along(weights, x, 1).shape == along(weights, x, -2).shape == (1, 3, 1)
    for dim in (0, 2, 7):
        with pytest.raises(UsageError, match="made for 3 channels along dimension"):
            along(weights, x, dim)
    one, two, three = (torch.tensor(float(k)) for k in (1, 2, 3))
    assert horner([one, two, three], torch.tensor(10.0)) == 321 and horner([], one) == 0
    assert one_of("A", "ab") == "a"
    with pytest.raises(UsageError, match="form='ab' must be one of a, b"):
        one_of("ab", "ab")
