import torch

from torchatlas.data.augmentation import ColorJitter, DataAugmentation, RandomCrop, RandomFlip


def test_it_is_a_crop_then_a_flip_then_colours():
    made = DataAugmentation(padding=2, flip=0.25, color=0.2)
    assert [type(each) for each in made] == [RandomCrop, RandomFlip, ColorJitter]
    assert (made[0].padding, made[1].probability) == (2, 0.25)
    assert (made[2].brightness, made[2].contrast, made[2].saturation, made[2].hue) == (0.2, 0.2, 0.2, 0.05)
    x = torch.randn(6, 3, 8, 8)
    torch.manual_seed(2)
    whole = made(x)
    torch.manual_seed(2)
    torch.testing.assert_close(whole, made[2](made[1](made[0](x))))
    torch.testing.assert_close(DataAugmentation(0, 0.0, 0.0)(x), x)
    assert torch.equal(DataAugmentation(0, 1.0, 0.0)[1](x), x.flip(-1))
