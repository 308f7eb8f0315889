"""What is asked in traces and conversations, exactly."""

from harness.load.prompts.prompt import Prompt
from harness.load.prompts.sessions import Conversation
from harness.load.prompts.texts import WORDS, PromptSource, Vocabulary
from harness.rundir.records import RequestRecord
from harness.scenario.prompts import SessionPrompts, SyntheticPrompts
from harness.scenario.trace import TraceRow

VOCABULARY = Vocabulary(WORDS, overhead_tokens=1)  # a word a token, and BOS


def source(spec: SyntheticPrompts | SessionPrompts, salt: str = "s") -> PromptSource:
    return PromptSource(spec, 1, salt, VOCABULARY)


def words(text: str) -> int:
    return len(text.split())


def length(prompt: Prompt) -> int:
    """With BOS."""
    return words(prompt.text) + 1


def talk(spec: SessionPrompts, user: int = 0, turn: int = 0) -> Conversation:
    return Conversation(spec, source(spec), user, seed=1, turn=turn)


SPEC = SessionPrompts(kind="sessions", turns=3, base_tokens=30, growth_tokens=35, output_tokens=25)
REPLY = " yes" * 25


def test_turn_i_has_base_and_i_times_growth_tokens() -> None:
    conversation = talk(SPEC)
    sizes = []
    for _ in range(3):
        sizes.append(length(conversation.ask()))
        conversation.answered(REPLY)

    # 30, then 25 of the reply and 10 new each time
    assert sizes == [30, 65, 100]


def test_what_a_template_adds_to_a_turn_that_was_not_asked_about_goes_on_growing() -> None:
    constant, growing = (Vocabulary(WORDS, turn_tokens=told) for told in ((7, 15, 23), (7, 10, 15)))

    assert [constant.added_tokens(turn) for turn in (0, 2, 3, 6)] == [7, 23, 31, 55]
    assert [growing.added_tokens(turn) for turn in (2, 3, 4)] == [15, 20, 25]
    assert Vocabulary(WORDS, overhead_tokens=7).added_tokens(5) == 7
    assert Vocabulary(WORDS, turn_tokens=(7, 15), exact=False).added_tokens(1) == 0


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


def test_after_the_last_turn_a_new_conversation_begins() -> None:
    conversation = talk(SPEC, user=7)
    seen = []
    for reply in (REPLY, REPLY, REPLY, REPLY):
        prompt = conversation.ask()
        seen.append((conversation.session, conversation.turn, length(prompt)))
        conversation.answered(reply)

    assert seen == [
        ("7-0", 0, 30), ("7-0", 1, 65), ("7-0", 2, 100),
        ("7-1", 0, 30),
    ]  # fmt: skip


def test_after_a_turn_that_failed_the_next_one_follows_with_a_reply_that_is_made_up() -> None:
    conversation = talk(SPEC)
    first = conversation.ask()
    conversation.answered(None)
    second = conversation.ask()

    # ended there, late turns would be rarer than early ones
    assert (conversation.session, conversation.turn) == ("0-0", 1)
    assert second.messages is not None
    assert [m["role"] for m in second.messages] == ["user", "assistant", "user"]
    assert second.text.startswith(first.text)
    assert [words(m["content"]) for m in second.messages] == [29, 25, 10]


def row_of(conversation: Conversation) -> RequestRecord:
    row = RequestRecord("r", 0)
    conversation.mark(row)
    return row


def test_a_conversation_entered_later_has_a_history_of_the_wanted_length() -> None:
    conversation = talk(SPEC, turn=2)
    prompt = conversation.ask()
    asked = row_of(conversation)
    conversation.answered(REPLY)

    assert (asked.session, asked.turn, asked.entered) == ("0-0", 2, True)
    assert prompt.messages is not None
    assert [m["role"] for m in prompt.messages] == ["user", "assistant"] * 2 + ["user"]
    assert [words(m["content"]) for m in prompt.messages] == [29, 25, 10, 25, 10]
    # the next one is a whole conversation
    assert length(conversation.ask()) == 30
    asked = row_of(conversation)
    assert (asked.session, asked.turn, asked.entered) == ("0-1", 0, False)


def test_a_history_that_is_made_up_is_of_no_other_user_and_no_other_run() -> None:
    def entered(user: int, salt: str) -> str:
        return Conversation(SPEC, source(SPEC, salt), user, seed=1, turn=2).ask().text

    assert entered(0, "s") == entered(0, "s")
    assert len({entered(0, "s")[:40], entered(1, "s")[:40], entered(0, "t")[:40]}) == 3


def test_the_question_makes_up_for_a_reply_of_another_length() -> None:
    conversation = talk(SPEC)
    sizes = []
    for reply in (" yes" * 5, " yes" * 50, " yes" * 25, ""):
        sizes.append(length(conversation.ask()))
        conversation.answered(reply, words(reply))

    # 65 whatever the reply; after one of 50, 115 and a word, since what was said cannot be taken back
    assert sizes == [30, 65, 116, 30]


def test_replies_of_drawn_lengths_leave_the_turns_their_lengths() -> None:
    spread = {"mean": 20, "stdev": 8, "min": 1, "max": 34}
    spec = SessionPrompts.model_validate(SPEC.model_dump() | {"output_tokens": spread, "turns": 6})
    conversation = talk(spec, turn=3)
    asked = []
    for _ in range(3):
        prompt = conversation.ask()
        asked.append((length(prompt), prompt.max_tokens))
        conversation.answered(" yes" * prompt.max_tokens, prompt.max_tokens)

    assert [size for size, _ in asked] == [135, 170, 205]
    assert len({tokens for _, tokens in asked}) > 1


def test_conversations_share_the_system_prompt_and_no_more() -> None:
    spec = SessionPrompts(kind="sessions", base_tokens=30, shared_prefix_tokens=20)
    one, two = (talk(spec, user).ask() for user in (0, 1))

    assert one.messages is not None
    assert two.messages is not None
    assert [m["role"] for m in one.messages] == ["system", "user"]
    assert length(one) == 30
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

    assert (length(prompt), prompt.tokens, prompt.max_tokens) == (120, 120, 7)
    assert prompt.text != prompts.of_trace(1, TraceRow(0, 120, 7)).text


def test_equal_blocks_of_a_trace_are_equal_text() -> None:
    prompts = source(SyntheticPrompts())
    one = prompts.of_trace(0, TraceRow(0, 1100, 1, blocks=(4, 5, 6))).text.split()
    two = prompts.of_trace(1, TraceRow(0, 1100, 1, blocks=(4, 9, 7))).text.split()

    assert len(one) == len(two) == 1099
    assert one[:512] == two[:512]
    assert one[512:1024] != two[512:1024]
