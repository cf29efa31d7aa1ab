"""Pictures and clips: in messages, and by `image` and `audio` beside a prompt."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from evalmake.harnesses.native import media, replay
from tests.harnesses.native.harness_bench import Body, Native, read_lines
from tests.support.media import MP3, data_url, png, wav


def place(native: Native, name: str, data: bytes) -> None:
    """Write a file beside the data."""
    path = native.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def image(url: str, **more: Any) -> Body:
    """A part with a picture."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def audio(data: str, **more: Any) -> Body:
    """A part with a clip."""
    return {"type": "input_audio", "input_audio": {"data": data, **more}}


def text(words: str) -> Body:
    """A part with a text."""
    return {"type": "text", "text": words}


def user(*parts: Body) -> Body:
    """A message of the user."""
    return {"role": "user", "content": list(parts)}


PNG_URL = data_url("image/png", png())
WAV = base64.b64encode(wav()).decode()


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (image("pics/cat.png"), image(PNG_URL)),
        (image("pics/cat.png", detail="low"), image(PNG_URL, detail="low")),
        (image("pics/photo"), image(data_url("image/jpeg", b"\xff\xd8\xff\xe0 and so on"))),
        (image("pics/a.gif"), image(data_url("image/gif", b"GIF89a and so on"))),
        (image("pics/a.webp"), image(data_url("image/webp", b"RIFF\0\0\0\0WEBPVP8 "))),
        (image(PNG_URL), image(PNG_URL)),
        (image("https://models.example/cat.png"), image("https://models.example/cat.png")),
        (audio("clip.wav"), audio(WAV, format="wav")),
        (audio("clip.wav", format=None), audio(WAV, format="wav")),
        (audio("clip.mp3"), audio(base64.b64encode(MP3).decode(), format="mp3")),
        (audio(data_url("audio/wav", wav())), audio(WAV, format="wav")),
        (audio(WAV, format="wav"), audio(WAV, format="wav")),
    ],
)
def test_parts_of_messages(native: Native, part: Body, sent: Body) -> None:
    """Files are sent by their content, data URLs and addresses as they are, in OpenAI's form."""
    place(native, "pics/cat.png", png())
    place(native, "pics/photo", b"\xff\xd8\xff\xe0 and so on")
    place(native, "pics/a.gif", b"GIF89a and so on")
    place(native, "pics/a.webp", b"RIFF\0\0\0\0WEBPVP8 ")
    place(native, "clip.wav", wav())
    place(native, "clip.mp3", MP3)
    run = native([{"m": [user(part, text("What?"))], "a": "42"}], prompt=None, messages="{m}")
    assert run.err == ""
    assert native.server.bodies[0]["messages"] == [user(sent, text("What?"))]
    assert run.headline["value"] == 1


@pytest.mark.parametrize("api", ["chat", "vlm"])
def test_a_picture_beside_a_prompt(native: Native, api: str) -> None:
    """`image` and `audio` stand before the prompt, in the question and in worked examples."""
    native.env["EVALMAKE_MODEL_API"] = api
    place(native, "pics/1.png", png(1))
    place(native, "pics/2.png", png(2))
    place(native, "c.wav", wav())
    example = {"q": "5?", "a": "5", "n": 2, "c": "c.wav"}
    run = native(
        [{"q": "6*7?", "a": "42", "n": 1, "c": "c.wav"}], image="pics/{n}.png", audio="{c}", examples=[example]
    )
    assert run.err == ""
    clip = audio(WAV, format="wav")
    assert native.server.bodies[0]["messages"] == [
        user(image(data_url("image/png", png(2))), clip, text("5?")),
        {"role": "assistant", "content": "5"},
        user(image(data_url("image/png", png(1))), clip, text("6*7?")),
    ]


def test_what_is_recorded(native: Native) -> None:
    """A sample names the files of its request, and does not hold their content."""
    place(native, "cat.png", png())
    run = native([{"q": "What?", "a": "42", "p": "cat.png"}], image="{p}")
    assert run.samples[0]["request"]["messages"] == [user(image("cat.png"), text("What?"))]


def test_files_lie_where_the_task_says(native: Native) -> None:
    """A task may say under which name a file lies that records name."""
    place(native, "media/abc.png", png())
    run = native(
        [{"q": "What?", "a": "42", "p": "../far/cat.png"}],
        image="{p}",
        media={"data.jsonl": {"../far/cat.png": "media/abc.png"}},
    )
    assert run.err == ""
    assert native.server.bodies[0]["messages"] == [user(image(PNG_URL), text("What?"))]


def test_pictures_tell_questions_apart(native: Native) -> None:
    """An example with the same prompt and another picture is another question."""
    place(native, "1.png", png(1))
    place(native, "2.png", png(2))
    record = {"q": "What?", "a": "42", "p": "1.png"}
    native([record], image="{p}", examples=[record, record | {"p": "2.png"}])
    assert len(native.server.bodies[0]["messages"]) == 3


def test_turns_with_pictures(native: Native) -> None:
    """Each turn is sent with the pictures of the turns before; a replay needs no server."""
    place(native, "1.png", png(1))
    place(native, "2.png", png(2))
    messages = [user(image("1.png"), text("First?")), user(image("2.png"), text("Second?"))]
    run = native([{"m": messages, "a": "42"}], prompt=None, messages="{m}")
    assert [len(body["messages"]) for body in native.server.bodies] == [1, 3]
    assert native.server.bodies[1]["messages"][0] == user(image(data_url("image/png", png(1))), text("First?"))
    recorded = (native.out / "samples.jsonl").replace(native.folder / "recorded.jsonl")
    assert replay.main(str(native.folder / "task.json"), str(recorded)) == 0
    assert read_lines(native.out / "samples.jsonl") == run.samples


MISTAKES = [
    ({"image": "{p}"}, {"p": "no.png"}, "the image 'no.png' cannot be read: No such file or directory"),
    ({"image": "{p}"}, {"p": "."}, "the image '.' cannot be read: Is a directory"),
    ({"image": "{p}"}, {"p": "a\0b"}, "the image 'a\0b' cannot be read: no file can have such a name"),
    ({"image": "{p}"}, {"p": "/tmp/cat.png"}, "the image '/tmp/cat.png' is not named relative to the data file"),
    ({"image": "{p}"}, {"p": "file://cat.png"}, "the image 'file://cat.png' is not named relative to the data file"),
    ({"image": "{p}"}, {"p": "note.txt"}, "the image 'note.txt' is not a picture: PNG, JPEG, GIF or WebP"),
    ({"image": "{p}"}, {"p": "data:,"}, "the image is no data URL: data:image/...;base64,..."),
    ({"image": "{p}"}, {"p": data_url("audio/wav", wav())}, "the image is no data URL: data:image/...;base64,..."),
    ({"image": "{p}"}, {"p": "data:image/png;base64,?"}, "the image is neither the name of a file nor base64"),
    ({"image": "{p}"}, {"p": data_url("image/png", b"no")}, "the image is not a picture: PNG, JPEG, GIF or WebP"),
    ({"image": "{p}"}, {"p": None}, "the field 'p' is null"),
    ({"image": "{p}"}, {"p": ""}, "the field 'p' is empty"),
    ({"image": "{p}"}, {"p": ["cat.png"]}, "the field 'p' is a list, and the image is one file"),
    ({"image": "{p}"}, {}, "the record has no field 'p'; it has q, a"),
    ({"image": "cat.png"}, {}, "no field of the record is in the image 'cat.png'; the record has q, a"),
    ({"audio": "{c}"}, {"c": "no.wav"}, "the audio 'no.wav' cannot be read: No such file or directory"),
    ({"audio": "{c}"}, {"c": "note.txt"}, "the audio 'note.txt' is not a clip: WAV or MP3"),
    ({"audio": "{c}"}, {"c": "https://models.example/c.wav"}, "the audio is an address, and the chat format has only"),
    ({"audio": "{c}"}, {"c": "clip"}, "the audio is not a clip: WAV or MP3"),
    ({"audio": "{c}"}, {"c": "clips"}, "the audio is neither the name of a file nor base64: 'clips'"),
    ({"image": "{p}"}, {"p": "large.png"}, "the image 'large.png' has 20.0 MiB, and can have 20"),
]


@pytest.mark.parametrize(("task", "record", "message"), MISTAKES)
def test_mistakes(native: Native, task: Body, record: Body, message: str) -> None:
    """A picture or clip that cannot be sent is an error with file and line, and nothing is asked."""
    place(native, "note.txt", b"a note")
    with (native.folder / "large.png").open("wb") as stream:
        stream.write(png())
        stream.truncate(media.MOST_BYTES + 1)
    run = native([{"q": "What?", "a": "42", **record}], **task)
    assert run.err.startswith(f"error: data.jsonl:1: {message}"), run.err
    assert native.server.bodies == []


def test_one_question_about_many_pictures(native: Native) -> None:
    """The prompt may be the same for all records where their pictures differ, but a doubled brace is a mistake."""
    records = [{"q": "one", "p": data_url("image/png", png(shade)), "a": "42"} for shade in (1, 2)]
    run = native(records, prompt="What is in it?", image="{p}")
    assert run.err == "", run.err
    assert [body["messages"][0]["content"][1] for body in native.server.bodies] == [text("What is in it?")] * 2
    assert "no field of the record is in the prompt" in native(records, prompt="{{q}}", image="{p}").err
    assert "no field of the record is in the prompt" in native(records, prompt="What?").err


def test_one_question_about_many_options(native: Native) -> None:
    """The prompt may be the same for all records where their options differ."""
    records = [{"o": [str(number), "7"], "a": str(number)} for number in (1, 2)]
    assert native(records, prompt="Which is smaller?", choices="{o}", scorer="choice").err == ""
    first, second = (body["messages"][0]["content"] for body in native.server.bodies)
    assert first != second


def test_mistakes_in_messages(native: Native) -> None:
    """Those of messages are told alike."""
    run = native([{"m": [user(image("no.png"))], "a": "42"}], prompt=None, messages="{m}")
    assert run.err == "error: data.jsonl:1: the image 'no.png' cannot be read: No such file or directory\n"
    run = native([{"m": [user(audio(WAV, format="mp3"))], "a": "42"}], prompt=None, messages="{m}")
    assert run.err == "error: data.jsonl:1: the audio has the format 'mp3' by its record, and 'wav' by its content\n"


@pytest.mark.parametrize("key", ["image", "audio"])
def test_the_completions_api_has_no_pictures(native: Native, key: str) -> None:
    """Pictures and clips need the chat API."""
    native.env["EVALMAKE_MODEL_API"] = "completions"
    assert "are for the chat API" in native([{"q": "What?", "a": "42", "p": "x"}], **{key: "{p}"}).err
