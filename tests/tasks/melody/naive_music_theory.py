"""The music-theory rules, one step at a time in plain Python: the oracle of the batched ones.

Written from the rules' text alone and as directly as it can be; it shares no code with the package.
A melody is a list of classes, `t` a step; every function judges `melody[t]` after `melody[:t]`.
"""

from fractions import Fraction

HOLD, OFF, TONIC = 0, 1, 14
IN_KEY = {0, 2, 4, 5, 7, 9, 11}
THRESHOLD = Fraction(3, 20)


def is_pitch(k):
    return k >= 2


def degree(k):
    return (k - 2) % 12


def previous_pitch(melody, t):
    for k in reversed(melody[:t]):
        if is_pitch(k):
            return k
    return None


def in_key(melody, t):
    return not is_pitch(melody[t]) or degree(melody[t]) in IN_KEY


def tonic_in_place(melody, t):
    last, a = len(melody), melody[t]
    if (t == 0 or t == last - 4) and a == TONIC:
        return True
    if t == last - 3 and a == HOLD:
        return True
    return t > last - 3 and not is_pitch(a)


def excessively_repeated(melody, t):
    a = melody[t]
    count, has_break, has_hold = 0, False, False
    for k in reversed(melody[:t]):
        if k == a:
            count += 1
        elif k == OFF:
            has_break = True
        elif k == HOLD:
            has_hold = True
        else:
            break
    if a == OFF and count > 1:
        return True
    if not has_break and not has_hold:
        return count > 4
    return count > 6


def autocorrelation(melody, t, lag):
    """The exact coefficient as a Fraction, from the definition and its mean."""
    x = melody[: t + 1]
    n = len(x)
    if n <= lag or len(set(x)) == 1:
        return Fraction(0)
    mean = Fraction(sum(x), n)
    variance = sum((v - mean) ** 2 for v in x) / n
    return sum((x[i] - mean) * (x[i + lag] - mean) for i in range(n - lag)) / n / variance


def distinct_pitches(melody, t):
    """How many distinct pitches the last 8 steps hold; None before there are 8."""
    if t < 7:
        return None
    return len({k for k in melody[t - 7 : t + 1] if is_pitch(k)})


def motif(melody, t):
    return (distinct_pitches(melody, t) or 0) >= 3


def repeated_motif(melody, t):
    if not motif(melody, t):
        return False
    window = melody[t - 7 : t + 1]
    earlier = melody[: t - 7]
    return any(earlier[i : i + 8] == window for i in range(len(earlier) - 7))


def interval_weight(melody, t):
    a, p = melody[t], previous_pitch(melody, t)
    if p is None:
        return 0.0
    if a == HOLD:
        return 0.3 if degree(p) in (0, 7) else 0.075
    if a == OFF:
        return 0.15 if degree(p) in (0, 7) else 0.05
    size = abs(a - p)
    if size == 7 and degree(p) in (0, 7):
        return 0.1
    if size == 4 and degree(p) in (0, 4):
        return 0.15
    if size > 12:
        return -1.0
    return {2: 0.08, 4: 0.09, 5: 0.07, 7: 0.02, 9: 0.05, 11: -0.3}.get(size, 0.0)


def leaps(melody):
    """The outcome of every step: 'resolved', 'doubled' or None."""
    direction, origin, steps_since = 0, None, 0
    outcomes = [None]
    for t in range(1, len(melody)):
        a, p = melody[t], previous_pitch(melody, t)
        outcome = None
        if not is_pitch(a):
            steps_since += 1
        elif p is not None and abs(a - p) >= 7:
            sign = 1 if a > p else -1
            if direction == 0:
                direction, origin = sign, p
            elif direction == sign:
                outcome = "doubled"
            else:
                if steps_since > 6:
                    outcome = "resolved"
                direction = 0
            steps_since = 0
        else:
            steps_since += 1
            if (direction > 0 and a <= origin) or (direction < 0 and a >= origin):
                outcome = "resolved"
                direction = 0
        outcomes.append(outcome)
    return outcomes


def unique_max(melody):
    return melody.count(max(melody)) == 1


def unique_min(melody):
    pitches = [k for k in melody if is_pitch(k)]
    return bool(pitches) and pitches.count(min(pitches)) == 1


def reward_parts(melody):
    """The default reward of every step: one list a rule."""
    steps = range(len(melody))
    last = len(melody) - 1
    coefficients = [[autocorrelation(melody, t, lag) for lag in (1, 2, 3)] for t in steps]
    leap = {"resolved": 5.0, "doubled": -5.0, None: 0.0}
    return {
        "in_key": [0.0 if in_key(melody, t) else -1.0 for t in steps],
        "tonic": [3.0 if tonic_in_place(melody, t) else 0.0 for t in steps],
        "repetition": [-100.0 if excessively_repeated(melody, t) else 0.0 for t in steps],
        "autocorrelation": [
            sum((-3.0 * float(abs(r)) for r in rs if abs(r) > THRESHOLD), 0.0)
            for rs in coefficients
        ],
        "motif": [
            3 + 0.3 * (distinct_pitches(melody, t) - 3) if motif(melody, t) else 0.0 for t in steps
        ],
        "repeated_motif": [
            4.0 + (distinct_pitches(melody, t) - 3) if repeated_motif(melody, t) else 0.0
            for t in steps
        ],
        "interval": [5 * interval_weight(melody, t) for t in steps],
        "leap": [leap[outcome] for outcome in leaps(melody)],
        "unique_extrema": [
            3.0 * unique_max(melody) + 3.0 * unique_min(melody) if t == last else 0.0 for t in steps
        ],
    }


def table1(melodies):
    """Table 1's metrics of a list of melodies, as shares and means; None where undefined."""
    steps = [(melody, t) for melody in melodies for t in range(len(melody))]
    outcomes = [outcome for melody in melodies for outcome in leaps(melody)]
    resolved, doubled = outcomes.count("resolved"), outcomes.count("doubled")

    def of_steps(rule):
        return sum(rule(melody, t) for melody, t in steps) / len(steps)

    def of_melodies(rule):
        return sum(rule(melody) for melody in melodies) / len(melodies)

    return {
        "repeated_notes": of_steps(excessively_repeated),
        **{
            f"autocorrelation_lag_{lag}": of_melodies(
                lambda m, lag=lag: float(autocorrelation(m, len(m) - 1, lag))
            )
            for lag in (1, 2, 3)
        },
        "not_in_key": of_steps(lambda m, t: not in_key(m, t)),
        "starts_with_tonic": of_melodies(lambda m: m[0] == TONIC),
        "leaps_resolved": resolved / (resolved + doubled) if resolved + doubled else None,
        "unique_max": of_melodies(unique_max),
        "unique_min": of_melodies(unique_min),
        "motif": of_steps(motif),
        "repeated_motif": of_steps(repeated_motif),
    }
