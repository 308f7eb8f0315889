"""What is asked in traces and conversations, exactly."""

from harness.load.prompts.sessions import Conversation
from harness.load.prompts.texts import WORDS, PromptSource, Vocabulary
from harness.scenario.prompts import SessionPrompts, SyntheticPrompts
from harness.scenario.trace import TraceRow

VOCABULARY = Vocabulary(WORDS, overhead_tokens=1)  # a word a token, and BOS


def source(spec: SyntheticPrompts | SessionPrompts) -> PromptSource:
    return PromptSource(spec, 1, "s", VOCABULARY)


def words(text: str) -> int:
    return len(text.split())


def talk(spec: SessionPrompts, user: int = 0) -> Conversation:
    return Conversation(spec, source(spec), user, seed=1)


SPEC = SessionPrompts(kind="sessions", turns=3, base_tokens=30, growth_tokens=35, output_tokens=25)
REPLY = " yes" * 25


def test_turn_i_has_base_and_i_times_growth_tokens() -> None:
    conversation = talk(SPEC)
    sizes = []
    for _ in range(3):
        sizes.append(words(conversation.ask().text))
        conversation.answered(REPLY)

    # 30, then 25 of the reply and 10 new each time
    assert sizes == [30, 65, 100]


def test_every_turn_continues_the_last_with_its_reply() -> None:
    conversation = talk(SPEC)
    first = conversation.ask()
    conversation.answered(REPLY)
    second = conversation.ask()

    assert second.text.startswith(first.text + REPLY + " ")
    assert second.messages is not None
    assert [m["role"] for m in second.messages] == ["user", "assistant", "user"]
    assert second.messages[1]["content"] == REPLY
    assert first.messages is not None
    assert len(first.messages) == 1  # what was sent does not change afterwards


def test_after_the_last_turn_or_a_failure_a_new_conversation_begins() -> None:
    conversation = talk(SPEC, user=7)
    seen = []
    for reply in (REPLY, REPLY, REPLY, REPLY, None, REPLY):
        prompt = conversation.ask()
        seen.append((conversation.session, conversation.turn, words(prompt.text)))
        conversation.answered(reply)

    assert seen == [
        ("7-0", 0, 30), ("7-0", 1, 65), ("7-0", 2, 100),
        ("7-1", 0, 30), ("7-1", 1, 65),
        ("7-2", 0, 30),
    ]  # fmt: skip


def test_conversations_share_the_system_prompt_and_no_more() -> None:
    spec = SessionPrompts(kind="sessions", base_tokens=30, shared_prefix_tokens=20)
    one, two = (talk(spec, user).ask() for user in (0, 1))

    assert one.messages is not None
    assert two.messages is not None
    assert [m["role"] for m in one.messages] == ["system", "user"]
    assert words(one.text) == 30
    assert one.messages[0] == two.messages[0]
    assert one.messages[1] != two.messages[1]


def test_the_same_replies_give_the_same_conversation() -> None:
    def run() -> list[str]:
        conversation = talk(SPEC)
        texts = []
        for _ in range(4):
            texts.append(conversation.ask().text)
            conversation.answered(REPLY)
        return texts

    assert run() == run()


def test_a_trace_prompt_has_the_length_the_log_says() -> None:
    prompts = source(SyntheticPrompts())

    prompt = prompts.of_trace(0, TraceRow(0, 120, 7))

    assert (words(prompt.text), prompt.tokens, prompt.max_tokens) == (119, 120, 7)  # and BOS
    assert prompt.text != prompts.of_trace(1, TraceRow(0, 120, 7)).text


def test_equal_blocks_of_a_trace_are_equal_text() -> None:
    prompts = source(SyntheticPrompts())
    one = prompts.of_trace(0, TraceRow(0, 1100, 1, blocks=(4, 5, 6))).text.split()
    two = prompts.of_trace(1, TraceRow(0, 1100, 1, blocks=(4, 9, 7))).text.split()

    assert len(one) == len(two) == 1099
    assert one[:512] == two[:512]
    assert one[512:1024] != two[512:1024]
