"""Broken losses over embeddings, sequence decoders and pairs of GAN losses."""

from bench.broken.mutation import Mutation

EMBEDDINGS = (
    Mutation("contrastive_loss", "missing term: no margin", "(self.margin - far).relu()", "-far"),
    Mutation("contrastive_loss", "factor: each pair twice", ".triu(1)", ".triu(0)"),
    Mutation("contrastive_loss", "factor: no half", "gap.pow(self.power) / 2", "gap.pow(self.power)"),
    Mutation("binomial_deviance", "sign: of the pull", "log_one_plus(-score)", "log_one_plus(score)"),
    Mutation("binomial_deviance", "missing term: no cost", "self.cost * score", "score"),
    Mutation(
        "improved_triplet", "missing term: the inner margin", "(distance - self.inner)", "(distance - 0.0)"
    ),
    Mutation("improved_triplet", "axis: of the negative", ".relu()[:, :, None]", ".relu()[:, None, :]"),
    Mutation(
        "batch_hard_triplet",
        "wrong bound: the nearest of one's own",
        "largest(distance, positive) - smallest",
        "smallest(distance, positive) - smallest",
    ),
    Mutation("batch_hard_triplet", "sign: of the margin", "(lag + self.margin)", "(lag - self.margin)"),
    Mutation(
        "quadruplet_loss", "missing term: the second", "self.over(first + second, ", "self.over(first, "
    ),
    Mutation(
        "quadruplet_loss",
        "wrong bound: one's own class counts",
        "rival, second, first",
        "rival, first, first",
    ),
    Mutation(
        "angular_loss", "factor: of the middle", "/ 2 - far[:, :, None] / 4", "/ 2 - far[:, :, None] / 2"
    ),
    Mutation("angular_loss", "missing term: tan for its square", ") ** 2, smooth", "), smooth"),
    Mutation("angular_loss", "sign: inside the exponential", "- 2 * (1 + t)", "+ 2 * (1 + t)"),
    Mutation("n_pair_loss", "sign: of the positive", "[:, None] - score", "[:, None] + score"),
    Mutation("n_pair_loss", "factor: of the lengths", "self.length / 2", "self.length"),
    Mutation(
        "lifted_structured",
        "missing term: one row's negatives alone",
        "torch.logaddexp(crowd[:, None], crowd)",
        "crowd[:, None]",
    ),
    Mutation("lifted_structured", "missing term: unsquared", ".relu().square() / 2", ".relu() / 2"),
    Mutation("histogram_loss", "sign: below for above", ".tril()", ".triu()"),
    Mutation("histogram_loss", "missing term: hard bins", "above = place - low", "above = 0 * place"),
    Mutation("ranked_list_loss", "missing term: no weights", "weight.softmax(1)", "(0 * weight).softmax(1)"),
    Mutation(
        "ranked_list_loss", "extra term: weights differentiated", "fixed = far.detach() if", "fixed = far if"
    ),
    Mutation("soft_nearest_neighbor", "missing term: the positives", "positive | negative", "negative"),
    Mutation("soft_nearest_neighbor", "factor: of the heat", "/ self.temperature", "* self.temperature"),
    Mutation("multi_similarity", "sign: of the pull", "-self.alpha * lead", "self.alpha * lead"),
    Mutation("multi_similarity", "missing term: the base", "similarity - self.base", "similarity"),
    Mutation(
        "multi_similarity", "sign: of the miner's slack", "fixed - self.epsilon", "fixed + 2 * self.epsilon"
    ),
    Mutation("circle_loss", "missing term: no weight", "(fixed + m).relu() *", "1.0 *"),
    Mutation(
        "circle_loss", "extra term: weights differentiated", "._cosines(held)).detach()", "._cosines(held))"
    ),
    Mutation("proxy_nca", "extra term: the own proxy in the sum", "(near, ~own)", "(near, own | ~own)"),
    Mutation(
        "proxy_nca_pp",
        "factor: cosines for distances",
        "2 * self.cosines(embeddings) / ",
        "self.cosines(embeddings) / ",
    ),
    Mutation("proxy_anchor", "sign: of the gap", "(cosine + self.delta)", "(cosine - self.delta)"),
    Mutation("proxy_anchor", "wrong mean: over all proxies", "present.sum().clamp_min(1)", "len(present)"),
    Mutation("magnet_loss", "missing term: clusters count by rows", " + share.diagonal().log()", ""),
    Mutation("magnet_loss", "missing term: the gap", " + self.alpha).relu()", ").relu()"),
    Mutation(
        "hierarchical_triplet",
        "missing term: no joining",
        "_joined(between * (1 - same))",
        "between * (1 - same)",
    ),
    Mutation("hierarchical_triplet", "missing term: the class's width", " - within[:, None]", ""),
    Mutation(
        "hard_negative_mining",
        "missing case: ties",
        "mask & (lead <= 0)",
        "mask & (lead < 0)",
    ),
)

SEQUENCES = (
    Mutation(
        "ctc_greedy_decode",
        "missing step: repeats stay",
        "torch.unique_consecutive(best[:end, k])",
        "(best[:end, k])",
    ),
    Mutation(
        "ctc_beam_search",
        "missing case: repeats without a blank",
        "(on_blank if again else either)",
        "either",
    ),
    Mutation(
        "ctc_beam_search",
        "missing term: the label again",
        "-math.inf, on_label + score)",
        "-math.inf, -math.inf)",
    ),
)

PAIRS = (
    Mutation(
        "wgan",
        "sign: of the gap",
        "return fake_logits.mean() - real_logits.mean()",
        "return real_logits.mean() - fake_logits.mean()",
    ),
    Mutation(
        "wgan",
        "missing term: no bound",
        "self.limit, self.critic_steps = limit",
        "self.limit, self.critic_steps = None",
    ),
    Mutation("wgan_gp", "factor: slope of zero", "[1] - 1)", "[1] - 0)"),
    Mutation(
        "wgan_gp",
        "axis: one share per value",
        "len(real), *[1] * (real.ndim - 1),",
        "real.shape,",
        page="losses/adversarial_pairs/pair.py",
    ),
    Mutation(
        "wgan_gp",
        "missing term: no second gradient",
        "gradient.flatten(1)",
        "gradient.detach().flatten(1)",
        page="losses/adversarial_pairs/pair.py",
    ),
    Mutation("dragan", "factor: the whole deviation", "0.5 * real.std", "1.0 * real.std"),
    Mutation("wgan_div", "factor: the slope itself", ".pow(self.power)", ".pow(1.0)"),
    Mutation("lsgan", "sign: targets exchanged", "(fake_logits - self.a)", "(fake_logits - self.b)"),
    Mutation(
        "lsgan",
        "factor: no half",
        "(fake_logits - self.c).square().mean() / 2",
        "(fake_logits - self.c).square().mean()",
    ),
    Mutation("gan_hinge", "sign: of the second margin", "(1 + fake_logits)", "(1 - fake_logits)"),
    Mutation(
        "bgan", "missing term: unsquared", "fake_logits.square().mean() / 2", "fake_logits.abs().mean() / 2"
    ),
    Mutation(
        "rgan",
        "sign: of the difference",
        "F.softplus(fake_logits - real_logits)",
        "F.softplus(real_logits - fake_logits)",
    ),
    Mutation(
        "ragan",
        "wrong mean: one's own",
        "real_logits - fake_logits.mean()",
        "real_logits - real_logits.mean()",
    ),
    Mutation(
        "softmax_gan", "wrong mean: the real ones' for all", "- everything.mean()", "- real_logits.mean()"
    ),
    Mutation("gan_qp", "factor: of the square", "2 * self.weight * far", "self.weight * far"),
    Mutation(
        "gan_qp",
        "wrong norm: squared differences",
        ".flatten(1).abs().mean(1)",
        ".flatten(1).square().mean(1)",
    ),
    Mutation("fisher_gan", "sign: of the multiplier", "add_(self.rho", "sub_(self.rho"),
    Mutation("fisher_gan", "missing term: the square", " + self.rho / 2 * excess.square()", ""),
    Mutation(
        "mcgan",
        "wrong norm: of the covariances",
        "torch.linalg.svdvals(wide).sum()",
        "torch.linalg.svdvals(wide).max()",
    ),
    Mutation(
        "mmd_gan", "factor: of the mixed term", "- 2 * self._mean(real, fake)", "- self._mean(real, fake)"
    ),
    Mutation("gn_gan", "missing term: no height", "(slope + height.abs())", "slope"),
    Mutation("gran_gan", "missing term: no slope above", "height * slope / (", "height / ("),
    Mutation("f_gan", "sign: of the conjugate", "F.softplus(v) - math.log(2)", "F.softplus(v) + math.log(2)"),
    Mutation("f_gan_pearson", "factor: of the conjugate", "v.square() / 4 + v", "v.square() / 2 + v"),
)

MUTATIONS: tuple[Mutation, ...] = (*EMBEDDINGS, *SEQUENCES, *PAIRS)
