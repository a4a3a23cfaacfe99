"""What a fake that speaks as OpenAI does can be told to answer, read by the official openai SDK.

--kind is whose server it is: openai, azure or compatible.
"""

import base64
import json

import openai
import pydantic

import checks

args = checks.arguments("base-url", "admin-url", "provider", "model", kind="openai")
admin = checks.Admin(args.admin_url)
client = checks.openai_client(args.kind, args.base_url, "sk-fake")

HELLO = [{"role": "user", "content": "hello"}]
GREETING = f"This is {args.model} at {args.provider}. You said: hello"
OF_OPENAI = args.kind != "compatible"


def complete(**more):
    return client.chat.completions.create(**{"model": args.model, "messages": HELLO, **more})


def final(stream):
    """The answer to the greeting, whole or put together from a stream."""
    if not stream:
        return complete()
    options = {"include_usage": True}
    with client.chat.completions.stream(model=args.model, messages=HELLO, stream_options=options) as events:
        return events.get_final_completion()


def look(url):
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    return complete(messages=[{"role": "user", "content": content}]).choices[0].message.content


def check_pictures_are_seen():
    data = base64.b64encode(checks.PIXEL).decode()
    assert look(f"data:image/png;base64,{data}").endswith(f"You said: look {checks.SHOWN}")
    assert look("https://example.com/a.png").endswith("You showed: https://example.com/a.png")
    checks.raises(openai.BadRequestError, lambda: look("data:image/png;base64,no picture"))


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def check_structured_output():
    if args.kind == "compatible":
        check_json_of_a_schema_in_the_prompt()
        return
    answer = client.chat.completions.parse(model=args.model, messages=HELLO, response_format=Weather)
    assert answer.choices[0].message.parsed == Weather(city="city", degrees=7), answer


def check_json_of_a_schema_in_the_prompt():
    if OF_OPENAI:
        return

    def ask(prompt, response_format):
        messages = [{"role": "system", "content": prompt}, *HELLO]
        return client.chat.completions.create(model=args.model, messages=messages, response_format=response_format)

    schema = Weather.model_json_schema()
    answer = ask(f"Answer in JSON of this schema: {json.dumps(schema)}", {"type": "json_object"})
    assert Weather.model_validate_json(answer.choices[0].message.content) == Weather(city="city", degrees=7), answer
    by_schema = {"type": "json_schema", "json_schema": {"name": "weather", "schema": schema}}
    for prompt, refused in [("Answer.", {"type": "json_object"}), ("Answer in JSON.", by_schema)]:
        checks.raises(openai.BadRequestError, lambda: ask(prompt, refused))


def check_reasoning_is_counted_and_shown_where_it_is():
    if args.kind == "compatible":
        answer = client.chat.completions.create(model="deepseek-reasoner", messages=HELLO)
        assert answer.choices[0].message.model_extra["reasoning_content"].startswith("The answer"), answer
        chunks = list(client.chat.completions.create(model="deepseek-reasoner", messages=HELLO, stream=True))
        thoughts = [chunk.choices[0].delta.model_extra.get("reasoning_content") for chunk in chunks]
        assert "".join(thought or "" for thought in thoughts).startswith("The answer"), thoughts
    else:
        answer = client.chat.completions.create(model="gpt-5" if args.kind == "azure" else "o4-mini", messages=HELLO)
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0, answer.usage
    assert answer.usage.completion_tokens > answer.usage.completion_tokens_details.reasoning_tokens, answer.usage


def check_cached_tokens():
    for stream in [False, True]:
        admin.answer(args.provider, cached_tokens=1)
        usage = final(stream).usage
        assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (1, 1), usage
        if args.kind == "compatible":
            assert usage.model_extra["prompt_cache_hit_tokens"] == 1, usage


def check_refusals():
    for stream in [False, True]:
        admin.answer(args.provider, refusal="I will not.")
        [choice] = final(stream).choices
        said = choice.message.refusal if OF_OPENAI else choice.message.content
        assert (said, choice.finish_reason) == ("I will not.", "stop"), choice
        assert not OF_OPENAI or choice.message.content is None, choice


def check_content_filters():
    for stream in [False, True]:
        admin.answer(args.provider, filtered="answer")
        try:
            [choice] = final(stream).choices
        except openai.ContentFilterFinishReasonError:
            # The stream's helper wants none of it.
            assert stream
            continue
        assert choice.finish_reason == "content_filter" and GREETING.startswith(choice.message.content), choice
        if args.kind == "azure":
            assert choice.model_extra["content_filter_results"]["violence"]["filtered"], choice
    admin.answer(args.provider, filtered="prompt")
    error = checks.raises(openai.BadRequestError, complete)
    if args.kind == "azure":
        assert error.code == "content_filter", error
        assert error.body["innererror"]["code"] == "ResponsibleAIPolicyViolation", error.body


def check_calls_as_a_script_wants_them():
    admin.answer(args.provider, text="Let me see.", calls=[{"name": "now", "arguments": ""}])
    [choice] = complete().choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me see."), choice
    assert choice.message.tool_calls[0].function.arguments == "", choice


def check_embeddings():
    if args.kind == "compatible":
        return
    model = "text-embedding-3-small"
    several = client.embeddings.create(model=model, input=["hello", "world"], dimensions=4)
    assert [len(one.embedding) for one in several.data] == [4, 4], several
    # The SDK asks for base64 unless told otherwise.
    plain = client.embeddings.create(model=model, input="hello", dimensions=4, encoding_format="float")
    assert plain.data[0].embedding == several.data[0].embedding, (plain, several)
    assert client.embeddings.create(model=model, input=[1, 2, 3]).usage.prompt_tokens == 3
    checks.raises(openai.BadRequestError, lambda: client.embeddings.create(model=model, input=""))


def check_completions():
    if args.kind != "openai":
        return
    model = "gpt-3.5-turbo-instruct"
    answer = client.completions.create(model=model, prompt="hello")
    assert answer.object == "text_completion" and answer.choices[0].finish_reason == "stop", answer
    chunks = client.completions.create(model=model, prompt="hello", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == answer.choices[0].text


checks.run(globals())
