"""Golden cases of the selection crate, from numpy alone.

Posteriors follow the released MoPPS update (alpha and beta kept as they are, not as counts); the
entropy threshold is numpy's quantile, as TRL's top_entropy_quantile takes torch's; alignment scores
are numpy's dot products and norms.

    python make_golden.py > golden.json        (numpy 2.x)
"""

import json

import numpy as np

generator = np.random.default_rng(7)


def posterior_case(prior_alpha, prior_beta, discount):
    alpha, beta, rows = prior_alpha, prior_beta, []
    for _ in range(12):
        completions = int(generator.integers(2, 17))
        right = int(generator.integers(0, completions + 1))
        rate = right / completions
        alpha = alpha * discount + prior_alpha * (1 - discount) + rate * completions
        beta = beta * discount + prior_beta * (1 - discount) + (1 - rate) * completions
        rows.append([right, completions, alpha, beta, alpha / (alpha + beta)])
    return {"prior": [prior_alpha, prior_beta], "discount": discount, "rows": rows}


def entropy_case(lengths, share):
    rows = [np.float32(generator.gamma(0.5, 1.0, size=n)) for n in lengths]
    threshold = np.quantile(np.concatenate(rows).astype(np.float64), 1 - share)
    own = [(row >= np.quantile(row.astype(np.float64), 1 - share)).tolist() for row in rows if len(row)]
    return {
        "share": share,
        "entropies": [row.tolist() for row in rows],
        "batch": [(row.astype(np.float64) >= threshold).tolist() for row in rows],
        "completion": own,
    }


def alignment_case(prompts, validation, size):
    gradients = np.float32(generator.normal(size=(prompts, size)))
    trusted = np.float32(generator.normal(size=(validation, size)))
    right = generator.integers(0, 9, size=prompts)
    mean = trusted.astype(np.float64).mean(axis=0)
    dot = gradients.astype(np.float64) @ mean
    cosine = dot / (np.linalg.norm(gradients.astype(np.float64), axis=1) * np.linalg.norm(mean))
    accuracy = right / 8
    simacc = cosine * (accuracy * (1 - accuracy)) * 4

    def order(score):
        return np.argsort(-score, kind="stable").tolist()

    return {
        "gradients": gradients.tolist(),
        "validation": trusted.tolist(),
        "right": right.tolist(),
        "cosine": order(cosine),
        "dot": order(dot),
        "simacc": order(simacc),
    }


print(
    json.dumps(
        {
            "posteriors": [
                posterior_case(1.0, 1.0, 1.0),
                posterior_case(1.0, 1.0, 0.5),
                posterior_case(2.5, 0.5, 0.9),
                posterior_case(1.0, 3.0, 0.0),
            ],
            "entropies": [entropy_case([5, 1, 9], 0.2), entropy_case([3, 4], 0.5), entropy_case([7], 0.8)],
            "alignment": alignment_case(12, 3, 6),
        },
        indent=1,
    )
)
