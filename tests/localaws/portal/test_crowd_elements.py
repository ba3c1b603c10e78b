"""The crowd elements in a headless browser: what they show, what they answer, and that a keyboard is enough."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from browser_kit import PICTURE, CrowdPages, accessibility_faults, answers, crowd_pages, submit

CLASSIFIER = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-classifier name="sentiment" categories="{categories}" header="What is the sentiment?" {more}>
    <classification-target>Soft, warm, and it fits.</classification-target>
    <full-instructions header="Sentiment">Positive: joy. Negative: anger.</full-instructions>
    <short-instructions>Choose the main sentiment.</short-instructions>
  </crowd-classifier>
</crowd-form>
"""


def classifier(categories: str = "['Positive', 'Neutral', 'Negative']", more: str = "") -> str:
    return CLASSIFIER.format(categories=categories, more=more)


@pytest.fixture(scope="module")
def pages(browser: Any) -> Iterator[CrowdPages]:
    with crowd_pages(browser) as served:
        yield served


def test_classifier_answers_its_label(pages: CrowdPages) -> None:
    with pages.open(classifier()) as page:
        page.get_by_text("Negative", exact=True).click()
        submit(page)
        assert answers(page) == [{"sentiment": {"label": "Negative"}}]


def test_classifier_without_a_choice_is_not_submitted(pages: CrowdPages) -> None:
    with pages.open(classifier()) as page:
        submit(page)
        assert page.get_by_role("alert").filter(has_text="Choose a category").count() >= 1
        assert answers(page) == []


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("['Positive', 'Negative']", ["Positive", "Negative"]),
        ("[&quot;A&quot;, &quot;B&quot;,]", ["A", "B"]),
        ("['Don't know', 'It\\'s fine']", ["Don't know", "It's fine"]),
        ("[{ name: 'Gore', parentName: 'Violence', }, { 'name': 'Weapons' }]", ["Gore", "Weapons"]),
        ("-1, 0, 1", ["-1", "0", "1"]),
        ("[-1, 0, 1]", ["-1", "0", "1"]),
    ],
)
def test_categories_are_read_as_templates_write_them(pages: CrowdPages, written: str, read: list[str]) -> None:
    with pages.open(classifier(written)) as page:
        assert page.get_by_role("radio").evaluate_all("all => all.map((one) => one.value)") == read


def test_initial_value_is_chosen_beforehand(pages: CrowdPages) -> None:
    with pages.open(classifier("['-1', '0', '1']", "initial-value='0'")) as page:
        submit(page)
        assert answers(page) == [{"sentiment": {"label": "0"}}]


def test_initial_value_of_no_category_chooses_nothing(pages: CrowdPages) -> None:
    with pages.open(classifier(more="initial-value='Excellent'")) as page:
        submit(page)
        assert answers(page) == []


def test_number_chooses_and_enter_submits(pages: CrowdPages) -> None:
    with pages.open(classifier()) as page:
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        assert answers(page) == [{"sentiment": {"label": "Neutral"}}]


def test_number_in_a_text_is_a_number(pages: CrowdPages) -> None:
    with pages.open(f"<crowd-form>{classifier()}<crowd-input name='why'></crowd-input></crowd-form>") as page:
        page.get_by_role("textbox").fill("")
        page.get_by_role("textbox").press("3")
        assert page.get_by_role("textbox").input_value() == "3"
        assert page.locator("input[type=radio]:checked").count() == 0


def test_full_instructions_open_and_close_by_keyboard(pages: CrowdPages) -> None:
    with pages.open(classifier()) as page:
        page.get_by_role("button", name="View full instructions").press("Enter")
        assert page.get_by_role("dialog").is_visible()
        page.keyboard.press("Escape")
        assert not page.get_by_role("dialog").is_visible()
        assert answers(page) == []


MULTI = """
<crowd-form><crowd-classifier-multi-select name="about" categories="['Fit', 'Price', 'Colour']" header="About what?"
  exclusion-category="{ text: 'None of the above' }"><classification-target>Too tight.</classification-target>
</crowd-classifier-multi-select></crowd-form>
"""


def test_multi_select_answers_its_labels(pages: CrowdPages) -> None:
    with pages.open(MULTI) as page:
        page.get_by_text("Fit", exact=True).click()
        page.keyboard.press("3")
        submit(page)
        assert answers(page) == [{"about": {"labels": ["Fit", "Colour"]}}]


def test_exclusion_category_bars_the_others(pages: CrowdPages) -> None:
    with pages.open(MULTI) as page:
        page.get_by_text("Fit", exact=True).click()
        page.get_by_text("None of the above").click()
        assert page.get_by_role("checkbox", name="Fit").is_disabled()
        submit(page)
        assert answers(page) == [{"about": {"labels": []}}]


TEXTS = """
<crowd-form {more}>
  <crowd-input name="tag1" label="First" required></crowd-input>
  <crowd-input name="tag2" label="Second"></crowd-input>
  <crowd-text-area name="why" label="Why" rows="3" char-counter></crowd-text-area>
</crowd-form>
"""


def test_text_is_answered_and_an_empty_input_is_absent(pages: CrowdPages) -> None:
    with pages.open(TEXTS.format(more="")) as page:
        page.get_by_label("First").fill("warm")
        page.get_by_label("Why").fill("Line 1\nLine 2")
        submit(page)
        assert answers(page) == [{"tag1": "warm", "why": "Line 1\nLine 2"}]


def test_required_text_is_asked_for_and_focused(pages: CrowdPages) -> None:
    with pages.open(TEXTS.format(more="")) as page:
        submit(page)
        assert page.get_by_text("Fill in this field.").first.is_visible()
        assert page.evaluate("document.activeElement.name") == "tag1"
        assert answers(page) == []


def test_enter_in_a_text_area_is_a_line(pages: CrowdPages) -> None:
    with pages.open(TEXTS.format(more="")) as page:
        page.get_by_label("First").fill("warm")
        page.get_by_label("Why").press("Enter")
        assert answers(page) == []
        page.get_by_label("First").press("Enter")
        assert answers(page) == [{"tag1": "warm", "why": "\n"}]


@pytest.mark.parametrize(
    ("attributes", "text", "refused"),
    [
        ("allowed-pattern='[0-9]'", "12a", True),
        ("allowed-pattern='[0-9]'", "123", False),
        ("min-length='3'", "ab", True),
        ("type='email'", "nobody", True),
        ("type='email'", "a@example.com", False),
        ("allowed-pattern='['", "anything", False),
    ],
)
def test_input_is_validated(pages: CrowdPages, attributes: str, text: str, refused: bool) -> None:
    with pages.open(f"<crowd-form><crowd-input name='x' label='X' {attributes}></crowd-input></crowd-form>") as page:
        page.get_by_label("X").fill(text)
        submit(page)
        assert answers(page) == ([] if refused else [{"x": text}])


BOXES = """
<crowd-form {more}>
  <crowd-checkbox name="image" value="blurry">Blurry</crowd-checkbox>
  <crowd-checkbox name="image" value="dark">Dark</crowd-checkbox>
  <crowd-toggle-button name="sure" value="yes">Sure</crowd-toggle-button>
  <crowd-radio-group>
    <crowd-radio-button name="tech" value="tech">Technology</crowd-radio-button>
    <crowd-radio-button name="politics" value="politics">Politics</crowd-radio-button>
  </crowd-radio-group>
</crowd-form>
"""
CHOSEN = {
    "image": {"blurry": False, "dark": True},
    "sure": {"yes": True},
    "tech": {"tech": False},
    "politics": {"politics": True},
}


def test_boxes_and_radio_buttons_answer_by_value(pages: CrowdPages) -> None:
    with pages.open(BOXES.format(more="")) as page:
        for label in ("Dark", "Sure", "Technology", "Politics"):
            page.get_by_text(label, exact=True).click()
        submit(page)
        assert answers(page) == [CHOSEN]


def test_flattened_answers_have_dotted_names(pages: CrowdPages) -> None:
    with pages.open(BOXES.format(more='answer-format="flatten-objects"')) as page:
        page.get_by_text("Dark", exact=True).click()
        submit(page)
        (answer,) = answers(page)
        assert answer["image.dark"] is True
        assert answer["sure.yes"] is False


def test_slider_answers_a_number_once_moved(pages: CrowdPages) -> None:
    slider = "<crowd-form><crowd-slider name='meaning' min='1' max='5' required pin></crowd-slider></crowd-form>"
    with pages.open(slider) as page:
        submit(page)
        assert answers(page) == []
        page.get_by_role("slider").press("ArrowRight")
        page.get_by_role("slider").press("ArrowRight")
        submit(page)
        assert answers(page) == [{"meaning": 3}]


def test_native_controls_are_answered_too(pages: CrowdPages) -> None:
    template = """<crowd-form>
      <label>Mood <select name="mood" required><option value="">?</option><option>Good</option></select></label>
      <label><input type="radio" name="size" value="S">S</label>
      <label><input type="radio" name="size" value="M">M</label>
      <input type="hidden" name="kept" value="yes"><label>Note <textarea name="note"></textarea></label>
    </crowd-form>"""
    with pages.open(template) as page:
        page.get_by_label("Mood").select_option("Good")
        page.get_by_label("M", exact=True).check()
        submit(page)
        assert answers(page) == [{"mood": "Good", "size": {"S": False, "M": True}, "kept": "yes"}]


def test_submit_button_of_the_template_is_not_doubled(pages: CrowdPages) -> None:
    button = "<crowd-button form-action='submit'>Send</crowd-button>"
    template = f"<crowd-form><crowd-input name='x'></crowd-input>{button}</crowd-form>"
    with pages.open(template) as page:
        assert page.get_by_role("button").count() == 1
        page.get_by_role("textbox").fill("1")
        page.get_by_role("button", name="Send").click()
        assert answers(page) == [{"x": "1"}]


ENTITIES = """
<crowd-entity-annotation name="entities" header="Label" text="Ada met Bob in Rome."
  labels="[{'label': 'person', 'shortDisplayName': 'per', 'fullDisplayName': 'Person'}, {'label': 'place'}]">
  <short-instructions>Label people and places.</short-instructions>
</crowd-entity-annotation>
"""


def test_entities_are_labelled_by_keyboard_without_a_form_of_the_template(pages: CrowdPages) -> None:
    with pages.open(ENTITIES) as page:
        page.get_by_role("button", name="Ada").focus()
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Enter")
        page.keyboard.press("2")
        page.get_by_role("button", name="Rome").click()
        submit(page)
        assert answers(page) == [
            {
                "entities": {
                    "entities": [
                        {"startOffset": 0, "endOffset": 7, "label": "person"},
                        {"startOffset": 15, "endOffset": 19, "label": "place"},
                    ]
                }
            }
        ]


def drawing(tag: str) -> str:
    return f"""<crowd-form><crowd-{tag} name="marks" src="{PICTURE}" header="Mark" labels="['Cat', 'Dog']">
      <short-instructions>Mark all.</short-instructions></crowd-{tag}></crowd-form>"""


SIZE = {"height": 100, "width": 200}
# The cross starts in the middle of the picture, (100, 50).
CORNERS = ["Space", "Shift+ArrowRight", "Space", "Shift+ArrowDown", "Space", "f"]


@pytest.mark.parametrize(
    ("tag", "keys", "marks"),
    [
        (
            "bounding-box",
            ["Space", "Shift+ArrowRight", "Shift+ArrowDown", "Space"],
            {"boundingBoxes": [{"height": 10, "width": 10, "left": 100, "top": 50, "label": "Cat"}]},
        ),
        ("keypoint", ["ArrowLeft", "Space"], {"keypoints": [{"x": 99, "y": 50, "label": "Cat"}]}),
        (
            "line",
            ["Space", "ArrowUp", "Space"],
            {"lines": [{"label": "Cat", "vertices": [{"x": 100, "y": 50}, {"x": 100, "y": 49}]}]},
        ),
        (
            "polyline",
            CORNERS,
            {
                "polylines": [
                    {"label": "Cat", "vertices": [{"x": 100, "y": 50}, {"x": 110, "y": 50}, {"x": 110, "y": 60}]}
                ]
            },
        ),
        (
            "polygon",
            CORNERS,
            {
                "polygons": [
                    {"label": "Cat", "vertices": [{"x": 100, "y": 50}, {"x": 110, "y": 50}, {"x": 110, "y": 60}]}
                ]
            },
        ),
    ],
)
def test_shapes_are_drawn_by_keyboard(pages: CrowdPages, tag: str, keys: list[str], marks: dict[str, Any]) -> None:
    with pages.open(drawing(tag)) as page:
        page.wait_for_function(f"document.querySelector('crowd-{tag}').size !== null")
        page.get_by_role("application").focus()
        for key in keys:
            page.keyboard.press(key)
        submit(page)
        assert answers(page) == [{"marks": {"inputImageProperties": SIZE, **marks}}]


def test_box_is_drawn_by_dragging(pages: CrowdPages) -> None:
    with pages.open(drawing("bounding-box")) as page:
        page.wait_for_function("document.querySelector('crowd-bounding-box').size !== null")
        box = page.get_by_role("application").bounding_box()
        scale = box["width"] / 200
        page.mouse.move(box["x"] + 20 * scale, box["y"] + 20 * scale)
        page.mouse.down()
        page.mouse.move(box["x"] + 60 * scale, box["y"] + 50 * scale)
        page.mouse.up()
        submit(page)
        (answer,) = answers(page)
        (drawn,) = answer["marks"]["boundingBoxes"]
        assert [drawn[key] for key in ("left", "top", "width", "height")] == pytest.approx([20, 20, 40, 30], abs=2)


@pytest.mark.parametrize(
    ("tag", "legend"), [("semantic-segmentation", "labelMappings"), ("instance-segmentation", "instances")]
)
def test_segmentation_answers_a_picture_and_its_legend(pages: CrowdPages, tag: str, legend: str) -> None:
    with pages.open(drawing(tag)) as page:
        page.wait_for_function(f"document.querySelector('crowd-{tag}').size !== null")
        page.get_by_role("application").focus()
        for key in CORNERS:
            page.keyboard.press(key)
        submit(page)
        (answer,) = answers(page)
        assert base64.b64decode(answer["marks"]["labeledImage"]["pngImageData"]).startswith(b"\x89PNG")
        assert len(answer["marks"][legend]) == 1


def test_picture_that_cannot_be_loaded_is_said(pages: CrowdPages) -> None:
    with pages.open(drawing("polygon").replace(PICTURE, "/nowhere.png")) as page:
        page.get_by_text("The picture could not be loaded").first.wait_for()
        submit(page)
        assert answers(page) == []


def test_moderation_labels_answer_the_whole_categories(pages: CrowdPages) -> None:
    template = f"""<crowd-form><crowd-rekognition-detect-moderation-labels src="{PICTURE}" header="Review"
      categories="[{{ name: 'Gore', parentName: 'Violence', }},]"></crowd-rekognition-detect-moderation-labels>
      </crowd-form>"""
    with pages.open(template) as page:
        page.get_by_text("Gore").click()
        submit(page)
        label = {"name": "Gore", "parentName": "Violence"}
        assert answers(page) == [{"AWS/Rekognition/DetectModerationLabels/Image/V3": {"ModerationLabels": [label]}}]


def test_document_answers_corrected_blocks(pages: CrowdPages) -> None:
    blocks = (
        "[{'blockType': 'KEY_VALUE_SET', 'entityTypes': ['KEY'], 'id': 'k', 'text': 'Name',"
        " 'relationships': [{'type': 'VALUE', 'ids': ['v']}]},"
        " {'blockType': 'KEY_VALUE_SET', 'entityTypes': ['VALUE'], 'id': 'v', 'text': 'Adq'}]"
    )
    template = f"""<crowd-form><crowd-textract-analyze-document src="{PICTURE}" initial-value="{blocks}" header="Check"
      keys="['Name']" no-key-edit></crowd-textract-analyze-document></crowd-form>"""
    with pages.open(template) as page:
        page.get_by_role("textbox").fill("Ada")
        submit(page)
        (answer,) = answers(page)
        texts = [block["text"] for block in answer["AWS/Textract/AnalyzeDocument/Forms/V1"]["blocks"]]
        assert texts == ["Name", "Ada"]


@pytest.mark.parametrize(
    "template",
    [classifier(), MULTI, TEXTS.format(more=""), BOXES.format(more=""), ENTITIES, drawing("polygon")],
    ids=["classifier", "multi", "texts", "boxes", "entities", "polygon"],
)
def test_draft_is_restored(pages: CrowdPages, template: str) -> None:
    fill = {
        "crowd-classifier": {"sentiment": {"label": "Negative"}},
        "crowd-classifier-multi-select": {"about": {"labels": []}},
        "crowd-input": {"tag1": "warm", "why": "because"},
        "crowd-checkbox": CHOSEN,
        "crowd-entity-annotation": {"entities": {"entities": [{"startOffset": 0, "endOffset": 3, "label": "place"}]}},
        "crowd-polygon": {
            "marks": {
                "inputImageProperties": SIZE,
                "polygons": [{"label": "Dog", "vertices": [{"x": 1, "y": 1}, {"x": 9, "y": 1}, {"x": 9, "y": 9}]}],
            }
        },
    }
    with pages.open(template) as page:
        tag = next(tag for tag in fill if f"<{tag} " in template)
        page.evaluate("draft => document.querySelector('crowd-form').restore(draft)", fill[tag])
        page.wait_for_function(f"document.querySelector('{tag}').size !== null")
        submit(page)
        assert answers(page) == [fill[tag]]


def test_every_tag_of_the_samples_is_defined(pages: CrowdPages) -> None:
    listed = (
        "alert bounding-box button card classifier classifier-multi-select entity-annotation form image-classifier"
        " image-classifier-multi-select input instance-segmentation instructions keypoint line polygon polyline"
        " radio-button radio-group rekognition-detect-moderation-labels semantic-segmentation slider text-area"
        " textract-analyze-document checkbox toggle-button modal tab tabs toast"
    )
    tags = listed.split()
    with pages.open("<crowd-form></crowd-form>") as page:
        missing = [tag for tag in tags if not page.evaluate(f"!!customElements.get('crowd-{tag}')")]
    assert missing == []


SHOWN = """<crowd-form><h1>Task</h1>
  <crowd-instructions link-text="View instructions" link-type="button"><short-summary>Short</short-summary>
  <positive-example>Good</positive-example></crowd-instructions>
  <crowd-alert type="error" dismissible>Look here.</crowd-alert><crowd-card heading="Card">Text</crowd-card>
  <crowd-tabs><crowd-tab header="One">1</crowd-tab><crowd-tab header="Two">2</crowd-tab></crowd-tabs>
  <crowd-slider name="s" min="1" max="5" editable></crowd-slider></crowd-form>"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "template",
    [classifier(), MULTI, TEXTS.format(more=""), BOXES.format(more=""), ENTITIES, drawing("polygon"), SHOWN],
    ids=["classifier", "multi", "texts", "boxes", "entities", "polygon", "shown"],
)
def test_axe_finds_nothing_in_the_elements(pages: CrowdPages, template: str, scheme: str) -> None:
    body = template if "<h1>" in template else f"<main><h1>Task</h1>{template}</main>"
    with pages.open(body, color_scheme=scheme) as page:
        faults = [one for one in accessibility_faults(page) if not one.startswith(("region", "landmark"))]
        assert faults == []


def test_template_without_a_form_is_given_one(pages: CrowdPages) -> None:
    with pages.open("<crowd-input name='x' label='X'></crowd-input>") as page:
        page.get_by_label("X").fill("1")
        submit(page)
        assert answers(page) == [{"x": "1"}]


def test_scripts_of_the_template_do_not_run(pages: CrowdPages) -> None:
    template = (
        "<script>window.hit = 1</script><img src=x onerror='window.hit = 2'>"
        "<crowd-form><crowd-classifier name='a' header='H' categories=\"['<img src=x onerror=window.hit=3>']\">"
        "<classification-target><svg onload='window.hit = 4'></svg></classification-target></crowd-classifier>"
        "</crowd-form>"
    )
    with pages.open(template) as page:
        page.keyboard.press("1")
        page.wait_for_timeout(100)
        assert page.evaluate("window.hit") is None
        submit(page)
        assert answers(page) == [{"a": {"label": "<img src=x onerror=window.hit=3>"}}]
