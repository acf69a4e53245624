"""Broken vision transformers that came after the first ones."""

from bench.broken.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "cait_xxs24",
        "order: heads talk after the softmax as they should before it",
        "_talk(self.after, _talk(self.before, scores).softmax(-1))",
        "_talk(self.before, _talk(self.after, scores).softmax(-1))",
    ),
    Mutation(
        "cait_xxs24",
        "missing term: the class token does not see itself",
        "self.k(x), self.v(x))",
        "self.k(x[:, 1:]), self.v(x[:, 1:]))",
    ),
    Mutation(
        "pit_s_224",
        "missing term: the class token gets a position",
        "self.token.expand(x.shape[0], -1, -1)",
        "(self.token + self.positions.mean()).expand(x.shape[0], -1, -1)",
    ),
    Mutation(
        "pit_s_224",
        "axis: columns before rows where patches are pooled",
        "x[:, 1:].mT.unflatten(2, self.grid)",
        "x[:, 1:].mT.unflatten(2, self.grid[::-1])",
    ),
    Mutation(
        "levit_256",
        "sign: a bias for each displacement, not for each distance",
        "torch.arange(side)).abs() for side in grid",
        "torch.arange(side)) % side for side in grid",
    ),
    Mutation(
        "levit_256",
        "missing term: values are no wider where the map shrinks",
        "VALUES, SHRINKING_VALUES = 2, 4",
        "VALUES, SHRINKING_VALUES = 2, 2",
    ),
    Mutation(
        "twins_svt_small",
        "wrong place: attention to a few comes first",
        "if k % 2\n",
        "if k % 2 == 0\n",
    ),
    Mutation(
        "twins_svt_small",
        "missing term: positions are not added to what was there",
        "return x + self.conv(x)",
        "return self.conv(x)",
    ),
)
