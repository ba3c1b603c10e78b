"""
Made-up reviews in the shape of the real ones, for a machine that cannot get those.

The same columns, categories, blanks and line breaks, and texts from which sentiment can be learned, not perfectly: some
writers hedge, and some give a star more or less than they say. Seeded: the same arguments give the same bytes.
Standard library only.
"""

from __future__ import annotations

import csv
from pathlib import Path
from random import Random

ROWS = 23_486
SEED = 42
#: how many writers give a star more or less than they say
SLIPS = 0.125

COLUMNS = [
    "",
    "Clothing ID",
    "Age",
    "Title",
    "Review Text",
    "Rating",
    "Recommended IND",
    "Positive Feedback Count",
    "Division Name",
    "Department Name",
    "Class Name",
]

#: class -> (rows in 10,000, department, noun)
CLASSES = {
    "Dresses": (2690, "Dresses", "dress"),
    "Knits": (2062, "Tops", "knit top"),
    "Blouses": (1319, "Tops", "blouse"),
    "Sweaters": (608, "Tops", "sweater"),
    "Pants": (591, "Bottoms", "pair of pants"),
    "Jeans": (488, "Bottoms", "pair of jeans"),
    "Fine gauge": (468, "Tops", "fine knit"),
    "Skirts": (402, "Bottoms", "skirt"),
    "Jackets": (300, "Jackets", "jacket"),
    "Lounge": (294, "Intimate", "lounge set"),
    "Swim": (149, "Intimate", "swimsuit"),
    "Outerwear": (140, "Jackets", "coat"),
    "Shorts": (135, "Bottoms", "pair of shorts"),
    "Sleep": (97, "Intimate", "nightgown"),
    "Legwear": (70, "Intimate", "pair of tights"),
    "Intimates": (66, "Intimate", "camisole"),
    "Layering": (62, "Intimate", "layering tank"),
    "Trend": (51, "Trend", "statement piece"),
}
#: too few to keep, as in the real data
RARE = {"Casual bottoms": (2, "Bottoms", "pair of joggers"), "Chemises": (1, "Intimate", "chemise")}

#: rating -> share, as in the real data
RATINGS = {1: 0.036, 2: 0.067, 3: 0.122, 4: 0.216, 5: 0.559}

GOOD = [
    "the fabric is soft and {very} comfortable",
    "it fits {very} well through the waist",
    "the color is {very} pretty in person",
    "it drapes {very} nicely and flatters my figure",
    "the quality is excellent for the price",
    "i get compliments every time i wear it",
    "the cut is {very} flattering",
    "it washed well and kept its shape",
    "the details are beautiful",
    "i love the length on me",
]
BAD = [
    "the fabric feels {very} cheap and scratchy",
    "it runs {very} large and hangs like a tent",
    "the color looks nothing like the picture",
    "the seams came apart after one wash",
    "it is {very} see through",
    "the waist hits at an odd place",
    "it looked {very} boxy and unflattering on me",
    "the zipper broke the first day",
    "it pilled right away",
    "the sleeves are {very} tight",
]
PLAIN = [
    "i am 5'4\" and usually wear a {size}",
    "i ordered the {size} online",
    "i tried it on in the store",
    "i bought it in {color}",
    "it comes in {color} as well",
    "i wore it to work last week",
    "my sister has the same one in {color}",
    "i wanted something for {season}",
]
VERDICTS = {
    1: ["i returned it the same day.", "very disappointed.", "do not waste your money.", "awful, it went back."],
    2: ["sadly it went back.", "i expected better.", "not for me, returning it.", "disappointing for the price."],
    3: ["it is okay, not great.", "i am on the fence.", "maybe for someone else.", "just average, i may keep it."],
    4: ["happy with it overall.", "i am keeping it.", "a nice addition to my closet.", "would buy it on sale again."],
    5: ["i love it!", "highly recommend!", "absolutely perfect, buy it!", "my new favorite!"],
}
TITLES = {
    1: ["Terrible", "So disappointed", "Returned", "Poor quality"],
    2: ["Not for me", "Disappointing", "Expected more", "Strange fit"],
    3: ["It's okay", "Mixed feelings", "Cute but...", "On the fence"],
    4: ["Nice", "Pretty and comfy", "Good buy", "Lovely color"],
    5: ["Love it!", "Beautiful", "Perfect", "So flattering"],
}
#: rating -> (good, bad) remarks in a text; middling reviews weigh both
REMARKS = {1: (0, 3), 2: (1, 2), 3: (1, 1), 4: (2, 1), 5: (3, 0)}
VERY = ["", "", "very ", "so ", "really "]
SIZES = ["small", "medium", "large", "size 4", "size 8", "petite small"]
SHADES = ["navy", "ivory", "red", "black", "moss green", "light blue"]
SEASONS = ["spring", "summer", "fall", "winter", "a wedding", "vacation"]


def write(path: Path, rows: int = ROWS, seed: int = SEED, slips: float = SLIPS) -> None:
    """
    Write ``rows`` reviews as the raw CSV file.

    :param slips: the share of writers who give a star more or less than their text says. No model can learn those.
    """
    random = Random(seed)
    with open(path, "w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([index, *_row(random, slips, *_class(random, index))] for index in range(rows))


def _class(random: Random, index: int) -> tuple[str, str, str]:
    rare = [name for name, (count, _, _) in RARE.items() for _ in range(count)]
    # Spread over the file, so that a sample of a few hundred may have one.
    if index % 4000 == 17 and index // 4000 < len(rare):
        name = rare[index // 4000]
        return (name, *RARE[name][1:])
    name = random.choices(list(CLASSES), [weight for weight, _, _ in CLASSES.values()])[0]
    return (name, *CLASSES[name][1:])


def _row(random: Random, slips: float, name: str, department: str, noun: str) -> list[str | int]:
    meant = random.choices(list(RATINGS), list(RATINGS.values()))[0]
    given = min(5, max(1, meant + random.choice((-1, 1)))) if random.random() < slips else meant
    body = "" if random.random() < 0.036 else _text(random, meant, noun)
    title = "" if not body or random.random() < 0.13 else random.choice(TITLES[meant])
    division = random.choices(["General", "General Petite", "Initmates"], [59, 35, 6])[0]
    recommended = int(random.random() < (0.97 if given >= 3 else 0.05))
    feedback = int(random.expovariate(0.4))
    number = random.randrange(1206)
    return [number, random.randint(19, 83), title, body, given, recommended, feedback, division, department, name]


def _text(random: Random, rating: int, noun: str) -> str:
    good, bad = REMARKS[rating]
    # Nobody is all praise or all blame: one text in four says one thing that goes the other way.
    if random.random() < 0.25:
        good, bad = good + (bad > good), bad + (good >= bad)
    remarks = random.sample(GOOD, good) + random.sample(BAD, bad) + random.sample(PLAIN, random.randint(0, 4))
    random.shuffle(remarks)
    opening = random.choice([f"bought this {noun}", f"this {noun} caught my eye", f"saw this {noun} online"])
    sentences = [_filled(random, remark) for remark in [opening, *remarks]]
    text = ". ".join(sentences) + ". "
    if random.random() < 0.8:
        text += random.choice(VERDICTS[rating])
    breaks = random.random()
    if breaks < 0.10:
        text = text.replace(". ", ".\r\n\r\n", 1)
    elif breaks < 0.15:
        text = text.replace(". ", ".\n", 1)
    elif breaks < 0.45:
        text = text.replace(". ", ", ", 1)
    return text.strip()


def _filled(random: Random, remark: str) -> str:
    return (
        remark.replace("{very} ", random.choice(VERY))
        .replace("{size}", random.choice(SIZES))
        .replace("{color}", random.choice(SHADES))
        .replace("{season}", random.choice(SEASONS))
    )
