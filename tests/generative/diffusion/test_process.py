import math

import pytest
import torch

from torchatlas.generative.diffusion import Noising, linear_betas

EXACT = Noising(linear_betas(1000), torch.double)


def test_the_paper_s_variances():
    betas = linear_betas()
    assert (len(betas), float(betas[0]), float(betas[-1])) == (1000, pytest.approx(1e-4), pytest.approx(0.02))
    assert float(betas[1] - betas[0]) == pytest.approx((0.02 - 1e-4) / 999)
    assert float(EXACT.alpha_bars[-1]) == pytest.approx(4.0358e-5, rel=1e-4)  # the published code's


@pytest.mark.parametrize("timesteps", [20, 50, 100, 4000])
def test_other_numbers_of_steps_end_in_noise_too(timesteps):
    process = Noising(linear_betas(timesteps))
    assert len(process) == timesteps
    assert (process.betas < 1).all() and float(process.alpha_bars[-1]) < 5e-4


def test_the_tables_by_hand():
    betas = linear_betas().tolist()
    bar = 1.0
    for t, beta in enumerate(betas):
        before, bar = bar, bar * (1 - beta)
        if t in (0, 1, 500, 999):
            assert float(EXACT.posterior_variances[t]) == pytest.approx(
                (1 - before) / (1 - bar) * beta, abs=1e-14
            )
            time = torch.tensor([t])
            x, noise = torch.tensor([[0.3]], dtype=torch.double), torch.tensor([[-1.2]], dtype=torch.double)
            now = math.sqrt(bar) * 0.3 + math.sqrt(1 - bar) * -1.2
            assert float(EXACT.noised(x, time, noise)) == pytest.approx(now, abs=1e-14)
            by_noise = (now - beta / math.sqrt(1 - bar) * -1.2) / math.sqrt(1 - beta)  # the paper's (11)
            got = EXACT.posterior_mean(x, torch.tensor([[now]], dtype=torch.double), time)
            assert float(got) == pytest.approx(by_noise, abs=1e-13)


def test_clean_takes_off_what_noised_put_on():
    x, noise = torch.randn(2, 6, 1, 4, 4, dtype=torch.double)
    t = torch.tensor([0, 1, 10, 500, 998, 999])
    torch.testing.assert_close(EXACT.clean(EXACT.noised(x, t, noise), t, noise), x, rtol=0, atol=1e-11)


def test_each_sample_has_its_own_time():
    x, t = torch.ones(2, 3, dtype=torch.double), torch.tensor([0, 999])
    got = EXACT.noised(x, t, torch.zeros_like(x))
    assert got[0].tolist() == pytest.approx([math.sqrt(1 - 1e-4)] * 3)
    assert got[1].tolist() == pytest.approx([math.sqrt(4.0358e-5)] * 3, rel=1e-4)


def test_single_precision_tables_are_the_double_ones_rounded():
    rounded = Noising(linear_betas())
    for name, table in EXACT.named_buffers():
        assert torch.equal(rounded.get_buffer(name), table.float())
    assert not rounded.state_dict(), "what the number of steps tells need not be saved"
