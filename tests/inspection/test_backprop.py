import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.inspection import backprop


def net(activation):
    torch.manual_seed(0)
    layers = (nn.Flatten(), nn.Linear(6, 5), activation(), nn.Linear(5, 4, bias=False), activation())
    return nn.Sequential(*layers, nn.Identity(), nn.Linear(4, 3)).double()


CASES = [
    ("cross_entropy", nn.functional.cross_entropy, torch.tensor([0, 2, 1, 1])),
    ("squared_error", nn.functional.mse_loss, torch.randn(4, 3, dtype=torch.double)),
]


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.Sigmoid])
@pytest.mark.parametrize(("name", "loss", "target"), CASES, ids=lambda c: c if isinstance(c, str) else "")
def test_it_is_what_autograd_finds(activation, name, loss, target):
    model = net(activation)
    x = torch.randn(4, 2, 3, dtype=torch.double, requires_grad=True)
    found = backprop(model, x.detach(), target, name)
    value = loss(model(x), target)
    value.backward()
    assert found.loss.item() == pytest.approx(value.item(), abs=1e-12)
    assert list(found.gradients) == [n for n, _ in model.named_parameters()]
    for n, p in model.named_parameters():
        assert (found.gradients[n] - p.grad).abs().max() < 1e-12
    assert (found.input_gradient - x.grad).abs().max() < 1e-12


@pytest.mark.parametrize(("name", "loss", "target"), CASES, ids=lambda c: c if isinstance(c, str) else "")
def test_it_is_what_small_steps_find(name, loss, target):
    model, x = net(nn.Tanh), torch.randn(4, 2, 3, dtype=torch.double)
    found = backprop(model, x, target, name)
    for n, p in model.named_parameters():
        place = (0,) * p.ndim
        values = []
        with torch.no_grad():
            for step in (1e-5, -2e-5):
                p[place] += step
                values.append(loss(model(x), target).item())
            p[place] += 1e-5
        assert found.gradients[n][place].item() == pytest.approx(
            (values[0] - values[1]) / 2e-5, rel=1e-6, abs=1e-10
        )


def test_two_samples_give_the_mean_of_both_and_far_scores_are_sound():
    model, x, y = net(nn.Tanh), torch.randn(2, 2, 3, dtype=torch.double), torch.tensor([0, 2])
    whole = backprop(model, x, y).gradients["6.weight"]
    each = [backprop(model, x[k : k + 1], y[k : k + 1]).gradients["6.weight"] for k in range(2)]
    torch.testing.assert_close(whole, (each[0] + each[1]) / 2)
    far = backprop(nn.Sequential(nn.Identity()), torch.tensor([[1e4, -1e4]]), torch.tensor([1]))
    assert far.loss.item() == pytest.approx(2e4) and far.input_gradient.isfinite().all()


def test_what_has_no_rule_is_told():
    with pytest.raises(UsageError, match="Softplus"):
        backprop(nn.Sequential(nn.Softplus()), torch.zeros(1, 2), torch.tensor([0]))
    with pytest.raises(UsageError, match="loss is"):
        backprop(net(nn.Tanh), torch.zeros(1, 6), torch.tensor([0]), "hinge")
