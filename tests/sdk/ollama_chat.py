"""Chats with the official ollama SDK against a fake Ollama, and what that can be told to answer."""

import json

import ollama

import checks

args = checks.arguments("base-url", "admin-url", "provider", "model")
admin = checks.Admin(args.admin_url)
client = ollama.Client(host=args.base_url, timeout=20)

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello there, world"}]
ANSWER = f"This is {args.model} at {args.provider}."
GREETING = f"{ANSWER} You said: hello there, world"


def tool(name):
    properties = {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}}
    schema = {"type": "object", "properties": properties, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "description": "Of a city.", "parameters": schema}}


TOOLS = [tool("get_weather"), tool("get_time")]
BOTH = [{"role": "user", "content": "get_weather and get_time in Lisbon, please"}]
ARGUMENTS = {"city": "city", "unit": "celsius"}


def chat(**more):
    return client.chat(**{"model": args.model, "messages": HELLO, **more})


def stream(**more):
    return list(chat(stream=True, **more))


def check_unary():
    answer = chat()
    assert answer.message.content == GREETING and answer.message.role == "assistant", answer
    assert (answer.done, answer.done_reason, answer.model) == (True, "stop", args.model), answer
    assert answer.prompt_eval_count == 5 and answer.eval_count == len(GREETING.split()), answer


def check_num_predict_and_stop():
    assert chat(options={"num_predict": 3}).done_reason == "length"
    assert chat(options={"stop": ["there"]}).message.content == f"{ANSWER} You said: hello "
    assert chat(options={"num_predict": -1}).message.content == GREETING


def check_stream():
    lines = stream()
    assert "".join(line.message.content for line in lines) == GREETING, lines
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True], lines
    assert lines[-1].done_reason == "stop" and lines[-1].eval_count == chat().eval_count, lines[-1]


def assert_calls(calls):
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("get_weather", ARGUMENTS),
        ("get_time", ARGUMENTS),
    ], calls


def second_turn(message):
    results = {"get_weather": "18 degrees", "get_time": "noon"}
    names = [call.function.name for call in message.tool_calls]
    answers = [{"role": "tool", "tool_name": name, "content": results[name]} for name in names]
    return chat(messages=[*BOTH, message, *answers], tools=TOOLS).message.content


def check_parallel_tools_over_two_turns():
    answer = chat(messages=BOTH, tools=TOOLS)
    assert answer.done_reason == "stop", answer
    assert_calls(answer.message.tool_calls)
    assert second_turn(answer.message) == f"{ANSWER} The tools said: 18 degrees; noon"


def check_streamed_parallel_tools_over_two_turns():
    calls = [call for line in stream(messages=BOTH, tools=TOOLS) for call in line.message.tool_calls or []]
    assert_calls(calls)
    message = ollama.Message(role="assistant", content="", tool_calls=calls)
    assert second_turn(message) == f"{ANSWER} The tools said: 18 degrees; noon"


def check_functions_are_declared_by_the_sdk_itself():
    def get_weather(city: str) -> str:
        """The weather of a city."""

    [call] = chat(messages=BOTH, tools=[get_weather]).message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "city"}), call


def check_structured_output():
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert json.loads(chat(format=schema).message.content) == {"city": "city"}
    assert json.loads(chat(format="json").message.content) == {}


def check_thinking():
    answer = chat(model="qwen3", think=True)
    assert answer.message.thinking.startswith("The answer"), answer
    lines = stream(model="qwen3", think=True)
    assert "".join(line.message.thinking or "" for line in lines) == answer.message.thinking, lines
    assert chat(model="qwen3", think=False).message.thinking is None
    assert chat(model="gpt-oss:20b", think="low").message.thinking
    error = checks.raises(ollama.ResponseError, lambda: chat(model="llama3.2", think=True))
    assert error.status_code == 400 and "does not support thinking" in error.error, error


def check_pictures_are_seen():
    answer = chat(messages=[{"role": "user", "content": "look", "images": [checks.PIXEL]}])
    assert answer.message.content == f"{ANSWER} You said: look {checks.SHOWN}", answer


def check_a_refusal_is_text_and_a_filter_a_short_one():
    admin.answer(args.provider, refusal="I will not.")
    assert chat().message.content == "I will not."
    admin.answer(args.provider, filtered="answer")
    answer = chat()
    assert answer.done_reason == "stop" and GREETING.startswith(answer.message.content), answer


def check_no_messages_load_the_model():
    answer = chat(messages=[])
    assert (answer.done_reason, answer.message.content) == ("load", ""), answer


def check_models_and_embeddings():
    assert f"{args.model}:latest" in [model.model for model in client.list().models]
    assert "tools" in client.show(args.model).capabilities
    embedded = client.embed(model="embeddinggemma", input=["hello", "world"], dimensions=4)
    assert [len(vector) for vector in embedded.embeddings] == [4, 4], embedded
    assert client.embed(model="embeddinggemma", input="hello", dimensions=4).embeddings[0] == embedded.embeddings[0]


def check_errors_map_to_exceptions():
    expected = {
        "bad_key": 401,
        "payment": 402,
        "forbidden": 403,
        "unknown_model": 404,
        "rate_limit": 429,
        "context_length": 400,
        "server_error": 500,
        "unavailable": 503,
    }
    for refusal, status in expected.items():
        for call in [chat, stream]:
            admin.refuse(args.provider, refusal)
            error = checks.raises(ollama.ResponseError, call)
            assert error.status_code == status and error.error, (refusal, error)


def check_bad_requests_are_refused():
    missing = checks.raises(ollama.ResponseError, lambda: chat(model="nobody"))
    assert (missing.status_code, missing.error) == (404, "model 'nobody' not found"), missing
    checks.raises(ollama.ResponseError, lambda: chat(model="gemma3", tools=TOOLS))
    checks.raises(ollama.ResponseError, lambda: chat(model="qwen3", think="a lot"))


def check_an_error_in_the_stream_is_raised():
    admin.break_at(args.provider, 2, {"error": "server_error"})
    error = checks.raises(ollama.ResponseError, stream)
    assert "unexpectedly stopped" in error.error, error


checks.run(globals())
