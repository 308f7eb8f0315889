/* The known-schedule server of harness/calibration/oracle, in C, for loads that Python cannot serve on time.
 *
 *     cc -O2 -o oracle oracle.c && ./oracle --ledger ledger.jsonl --ttft-s 0.02 --itl-s 0.001
 *
 * Same options, routes, events and ledger as `python -m harness.calibration.oracle.server` (see there and stream.py beside it).
 * Differences: the ledger is written when no stream is in progress and at the end, so that writing is never
 * lateness; JSON bodies are searched for their few keys, not parsed, and the tokens of a prompt are counted on its
 * JSON text, escapes included. One thread, Linux only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 65536, MAX_EVENTS = 256, ID_BYTES = 128, MODEL_BYTES = 256, EVENT_BYTES = 1024 };
static const int64_t NS_PER_S = 1000000000;
static const int64_t IDLE_NS = 500000000; /* how soon an idle server notices that its parent is gone */
static const size_t MAX_REQUEST_BYTES = 64u << 20;

typedef struct {
    char *data;
    size_t size, room;
} Buffer;

/* One generation: its plan and when its tokens really left. Kept until its line of the ledger is written. */
typedef struct Stream {
    char id[ID_BYTES], model[MODEL_BYTES];
    bool chat, streaming, usage, finished;
    int64_t prompt_tokens, max_tokens, sent;
    double ttft_s, itl_s;
    int64_t received, created_s;
    int64_t *sent_at;
    char before[EVENT_BYTES], after[EVENT_BYTES], after_last[EVENT_BYTES];
    struct Connection *connection; /* NULL when its client has gone away */
    struct Stream *next;           /* in the list of those that have ended */
    int64_t due;
} Stream;

typedef struct Connection {
    int fd;
    bool closes, waits_to_write;
    Buffer in, out;
    Stream *stream;
} Connection;

static struct {
    double ttft_s, itl_s;
    int64_t max_tokens;
    const char *model;
    FILE *ledger;
    int epoll, listener;
    Stream **heap; /* by due time */
    size_t heap_size, heap_room;
    Stream *ended, **last_ended;
    int64_t prompt_tokens, generation_tokens, finished, running, order;
} S = {.ttft_s = 0.02, .itl_s = 0.02, .max_tokens = 16, .model = "oracle"};
static volatile sig_atomic_t stopping;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void append(Buffer *b, const void *data, size_t size) {
    if (b->size + size + 1 > b->room) {
        b->room = (b->size + size + 1) * 2;
        b->data = realloc(b->data, b->room);
        if (!b->data) die("memory");
    }
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = 0; /* always a C string, too */
}

static void drop(Buffer *b, size_t size) {
    if (!size) return;
    memmove(b->data, b->data + size, b->size - size + 1);
    b->size -= size;
}

/* Streams by due time: a binary heap. */

static void heap_push(Stream *s) {
    if (S.heap_size == S.heap_room) {
        S.heap_room = S.heap_room ? S.heap_room * 2 : 1024;
        S.heap = realloc(S.heap, S.heap_room * sizeof *S.heap);
        if (!S.heap) die("memory");
    }
    size_t i = S.heap_size++;
    for (size_t up; i && S.heap[up = (i - 1) / 2]->due > s->due; i = up) S.heap[i] = S.heap[up];
    S.heap[i] = s;
}

static Stream *heap_pop(void) {
    Stream *top = S.heap[0], *last = S.heap[--S.heap_size];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < S.heap_size; i = child) {
        if (child + 1 < S.heap_size && S.heap[child + 1]->due < S.heap[child]->due) child++;
        if (S.heap[child]->due >= last->due) break;
        S.heap[i] = S.heap[child];
    }
    if (S.heap_size) S.heap[i] = last;
    return top;
}

/* The ledger. */

static int64_t planned(const Stream *s, int64_t k) {
    if (!s->streaming) k = s->max_tokens - 1;
    return s->received + (int64_t)((s->ttft_s + (double)k * s->itl_s) * 1e9 + 0.5);
}

static void write_list(const char *name, const Stream *s, int64_t (*value)(const Stream *, int64_t)) {
    fprintf(S.ledger, ",\"%s\":[", name);
    for (int64_t k = 0; k < s->sent; k++) fprintf(S.ledger, k ? ",%lld" : "%lld", (long long)value(s, k));
    fputc(']', S.ledger);
}

static int64_t sent_of(const Stream *s, int64_t k) { return s->sent_at[k]; }
static int64_t late_of(const Stream *s, int64_t k) { return s->sent_at[k] - planned(s, k); }

static void write_row(const Stream *s) {
    fprintf(S.ledger,
            "{\"request_id\":\"%s\",\"path\":\"/v1/%s\",\"stream\":%s,\"finished\":%s,\"prompt_tokens\":%lld,"
            "\"max_tokens\":%lld,\"tokens_sent\":%lld,\"received_monotonic_ns\":%lld",
            s->id, s->chat ? "chat/completions" : "completions", s->streaming ? "true" : "false",
            s->finished ? "true" : "false", (long long)s->prompt_tokens, (long long)s->max_tokens,
            (long long)s->sent, (long long)s->received);
    write_list("planned_monotonic_ns", s, planned);
    write_list("sent_monotonic_ns", s, sent_of);
    write_list("lateness_ns", s, late_of);
    fputs("}\n", S.ledger);
}

static void write_ended(void) {
    while (S.ended) {
        Stream *s = S.ended;
        S.ended = s->next;
        if (S.ledger) write_row(s);
        free(s->sent_at);
        free(s);
    }
    S.last_ended = &S.ended;
    if (S.ledger) fflush(S.ledger);
}

static void end_stream(Stream *s) {
    s->next = NULL;
    *S.last_ended = s;
    S.last_ended = &s->next;
    S.running--;
}

/* Sockets. */

static void watch(Connection *c, bool writing) {
    struct epoll_event e = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    epoll_ctl(S.epoll, EPOLL_CTL_MOD, c->fd, &e);
    c->waits_to_write = writing;
}

static void send_all(Connection *c, const void *data, size_t size) {
    ssize_t done = 0;
    if (!c->out.size) {
        done = send(c->fd, data, size, MSG_NOSIGNAL);
        if (done == (ssize_t)size) return;
        if (done < 0 && errno != EAGAIN) return; /* the reading side will see the end, and close */
        if (done < 0) done = 0;
    }
    append(&c->out, (const char *)data + done, size - (size_t)done);
    if (!c->waits_to_write) watch(c, true);
}

static void close_connection(Connection *c) {
    Stream *s = c->stream;
    if (s) s->connection = NULL; /* it is still in the heap, and ends there */
    close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c);
}

static void answer(Connection *c, int status, const char *type, const char *body) {
    char head[256];
    int size = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n\r\n",
                        status, status == 200 ? "OK" : "Bad Request", type, strlen(body));
    Buffer whole = {0};
    append(&whole, head, (size_t)size);
    append(&whole, body, strlen(body));
    send_all(c, whole.data, whole.size);
    free(whole.data);
}

/* The value of a key in a JSON text: what follows `"key":`, or NULL. Quotes inside strings are escaped, so a key
 * within a prompt is not found. */
static const char *json_value(const char *json, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    for (const char *at = json; (at = strstr(at, quoted)); at++) {
        if (at > json && at[-1] == '\\') continue;
        const char *value = at + strlen(quoted);
        value += strspn(value, " \t\r\n");
        if (*value == ':') return value + 1 + strspn(value + 1, " \t\r\n");
    }
    return NULL;
}

static bool json_true(const char *json, const char *key) {
    const char *value = json_value(json, key);
    return value && !strncmp(value, "true", 4);
}

/* Tokens of a JSON string (pieces of at most 8 characters of a word), or elements of a list of ids. */
static int64_t count_tokens(const char *value) {
    int64_t count = 0, in_word = 0;
    if (*value == '[' && value[1 + strspn(value + 1, " \t\r\n")] != '"') {
        for (const char *at = value; *at && *at != ']'; at++) count += *at == ',';
        return count + 1;
    }
    value += strcspn(value, "\"");
    for (const char *at = value + 1; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1]) at++;
        in_word = strchr(" \n\t", *at) ? 0 : in_word + 1;
        count += in_word % 8 == 1;
    }
    return count;
}

static int64_t count_prompt(const char *body) {
    const char *prompt = json_value(body, "prompt");
    if (prompt) return count_tokens(prompt);
    int64_t count = 0;
    for (const char *at = body; (at = json_value(at, "content"));) {
        const char *text = *at == '[' ? json_value(at, "text") : at;
        count += text ? count_tokens(text) : 0;
    }
    return count;
}

/* A header's value copied to `out`; false when it is absent or too long. */
static bool header(const char *head, const char *name, char *out, size_t room) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) || line[2 + length] != ':') continue;
        const char *value = line + 3 + length;
        value += strspn(value, " \t");
        size_t size = strcspn(value, "\r\n");
        if (size >= room) return false;
        memcpy(out, value, size);
        out[size] = 0;
        return true;
    }
    return false;
}

static size_t put_chunk(char *out, const char *event) {
    return (size_t)sprintf(out, "%zx\r\n%s\r\n", strlen(event), event);
}

/* What is before and after a token's text, chunk framing included: the text is always four characters. */
static void render_events(Stream *s) {
    const char *kind = s->chat ? "chat.completion.chunk" : "text_completion";
    char body[EVENT_BYTES];
    int size = snprintf(body, sizeof body,
                        "data: {\"id\":\"%s-%s\",\"object\":\"%s\",\"created\":%lld,\"model\":\"%s\","
                        "\"choices\":[{\"index\":0,%s",
                        s->chat ? "chatcmpl" : "cmpl", s->id, kind, (long long)s->created_s,
                        s->model, s->chat ? "\"delta\":{\"content\":\"" : "\"text\":\"");
    const char *shut = s->chat ? "\"}" : "\"";
    char rest[128], last[128];
    snprintf(rest, sizeof rest, "%s,\"logprobs\":null,\"finish_reason\":null}]}\n\n", shut);
    snprintf(last, sizeof last, "%s,\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n", shut);
    /* all events must have one length for one chunk head: pad the shorter ending with JSON blanks */
    int pad = (int)(strlen(last) - strlen(rest));
    snprintf(s->after, sizeof s->after, "%s,\"logprobs\":null,\"finish_reason\":null%*s}]}\n\n\r\n", shut, pad, "");
    snprintf(s->after_last, sizeof s->after_last, "%s\r\n", last);
    snprintf(s->before, sizeof s->before, "%zx\r\n%s", (size_t)size + 4 + strlen(last), body);
}

static void send_head(Stream *s) {
    char out[2 * EVENT_BYTES];
    int size = snprintf(out, sizeof out,
                        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache"
                        "\r\nx-request-id: %s\r\ntransfer-encoding: chunked\r\n\r\n",
                        s->id);
    if (s->chat) {
        char role[EVENT_BYTES];
        snprintf(role, sizeof role,
                 "data: {\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion.chunk\",\"created\":%lld,\"model\":\"%s\","
                 "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}"
                 "\n\n",
                 s->id, (long long)s->created_s, s->model);
        size += (int)put_chunk(out + size, role);
    }
    send_all(s->connection, out, (size_t)size);
}

static void send_tail(Stream *s) {
    char out[2 * EVENT_BYTES], usage[EVENT_BYTES];
    size_t size = 0;
    if (s->usage) {
        snprintf(usage, sizeof usage,
                 "data: {\"id\":\"%s-%s\",\"object\":\"%s\",\"created\":%lld,\"model\":\"%s\",\"choices\":[],"
                 "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld}}\n\n",
                 s->chat ? "chatcmpl" : "cmpl", s->id, s->chat ? "chat.completion.chunk" : "text_completion",
                 (long long)s->created_s, s->model, (long long)s->prompt_tokens,
                 (long long)s->max_tokens, (long long)(s->prompt_tokens + s->max_tokens));
        size = put_chunk(out, usage);
    }
    size += put_chunk(out + size, "data: [DONE]\n\n");
    memcpy(out + size, "0\r\n\r\n", 5);
    send_all(s->connection, out, size + 5);
}

static void send_whole(Stream *s) {
    Buffer body = {0}, whole = {0};
    char part[2 * EVENT_BYTES];
    int size = snprintf(part, sizeof part,
                        "{\"id\":\"cmpl-%s\",\"object\":\"text_completion\",\"created\":0,\"model\":\"%s\",\"choices\":[{"
                        "\"index\":0,\"logprobs\":null,\"finish_reason\":\"length\",%s",
                        s->id, s->model, s->chat ? "\"message\":{\"role\":\"assistant\",\"content\":\"" : "\"text\":\"");
    append(&body, part, (size_t)size);
    for (int64_t k = 0; k < s->max_tokens; k++) append(&body, part, (size_t)sprintf(part, " %03d", (int)(k % 1000)));
    size = snprintf(part, sizeof part,
                    "%s}],\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld}}",
                    s->chat ? "\"}" : "\"", (long long)s->prompt_tokens, (long long)s->max_tokens,
                    (long long)(s->prompt_tokens + s->max_tokens));
    append(&body, part, (size_t)size);
    size = snprintf(part, sizeof part, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                    body.size);
    append(&whole, part, (size_t)size);
    append(&whole, body.data, body.size);
    send_all(s->connection, whole.data, whole.size);
    free(body.data);
    free(whole.data);
}

static void start(Connection *c, const char *head, const char *body, bool chat, int64_t received) {
    Stream *s = calloc(1, sizeof *s);
    if (!s) die("memory");
    char number[64];
    S.order++;
    if (!header(head, "x-request-id", s->id, sizeof s->id)) snprintf(s->id, sizeof s->id, "oracle-%lld", (long long)S.order);
    const char *model = json_value(body, "model"), *max = json_value(body, "max_completion_tokens");
    if (!max) max = json_value(body, "max_tokens");
    snprintf(s->model, sizeof s->model, "%s", S.model);
    if (model && *model == '"') snprintf(s->model, sizeof s->model, "%.*s", (int)strcspn(model + 1, "\""), model + 1);
    s->ttft_s = header(head, "x-oracle-ttft-s", number, sizeof number) ? atof(number) : S.ttft_s;
    s->itl_s = header(head, "x-oracle-itl-s", number, sizeof number) ? atof(number) : S.itl_s;
    s->max_tokens = max && *max != 'n' ? atoll(max) : S.max_tokens;
    s->chat = chat, s->streaming = json_true(body, "stream"), s->usage = json_true(body, "include_usage");
    s->prompt_tokens = count_prompt(body);
    s->received = received, s->created_s = now(CLOCK_REALTIME) / NS_PER_S;
    if (s->max_tokens < 1 || s->max_tokens > 10000000 || strpbrk(s->id, "\"\\")) {
        free(s);
        answer(c, 400, "application/json", "{\"error\":{\"message\":\"bad max_tokens or x-request-id\",\"code\":400}}");
        return;
    }
    s->sent_at = malloc((size_t)s->max_tokens * sizeof *s->sent_at);
    if (!s->sent_at) die("memory");
    s->connection = c, c->stream = s;
    S.running++, S.prompt_tokens += s->prompt_tokens;
    s->due = planned(s, 0);
    heap_push(s);
    render_events(s);
    if (s->streaming) send_head(s);
}

static void serve_get(Connection *c, const char *path) {
    char body[1024];
    if (!strcmp(path, "/v1/models"))
        snprintf(body, sizeof body,
                 "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"created\":0,\"owned_by\":\"oracle\","
                 "\"root\":\"%s\",\"max_model_len\":131072}]}",
                 S.model, S.model);
    else if (!strcmp(path, "/version"))
        snprintf(body, sizeof body, "{\"version\":\"oracle-c-1\"}");
    else if (!strcmp(path, "/health"))
        body[0] = 0;
    else if (!strcmp(path, "/metrics")) {
        const char *m = S.model, *done = "engine=\"0\",finished_reason=\"length\"";
        snprintf(body, sizeof body,
                 "# TYPE vllm:num_requests_running gauge\n"
                 "vllm:num_requests_running{engine=\"0\",model_name=\"%s\"} %lld.0\n"
                 "# TYPE vllm:prompt_tokens_total counter\n"
                 "vllm:prompt_tokens_total{engine=\"0\",model_name=\"%s\"} %lld.0\n"
                 "# TYPE vllm:generation_tokens_total counter\n"
                 "vllm:generation_tokens_total{engine=\"0\",model_name=\"%s\"} %lld.0\n"
                 "# TYPE vllm:request_success_total counter\n"
                 "vllm:request_success_total{%s,model_name=\"%s\"} %lld.0\n",
                 m, (long long)S.running, m, (long long)S.prompt_tokens, m, (long long)S.generation_tokens, done, m,
                 (long long)S.finished);
        answer(c, 200, "text/plain; version=0.0.4", body);
        return;
    } else {
        answer(c, 404, "application/json", "{\"error\":{\"message\":\"no such route\",\"code\":404}}");
        return;
    }
    answer(c, 200, "application/json", body);
}

/* Serve the whole requests that have arrived, up to the first that takes time; false when `c` is gone. */
static bool serve(Connection *c, int64_t received) {
    while (!c->stream && c->in.size) {
        char *end = strstr(c->in.data, "\r\n\r\n"), method[16], path[256], value[64];
        if (!end) break;
        size_t head = (size_t)(end - c->in.data) + 4;
        *end = 0;
        long length = header(c->in.data, "content-length", value, sizeof value) ? atol(value) : 0;
        bool closes = header(c->in.data, "connection", value, sizeof value) && !strcasecmp(value, "close");
        bool readable = sscanf(c->in.data, "%15s %255[^ ?]", method, path) == 2 && length >= 0;
        if (!readable || head + (size_t)length > MAX_REQUEST_BYTES) {
            close_connection(c);
            return false;
        }
        if (c->in.size < head + (size_t)length) {
            *end = '\r';
            break;
        }
        char kept = c->in.data[head + (size_t)length];
        char *body = c->in.data + head;
        body[length] = 0;
        c->closes = closes;
        bool chat = !strcmp(path, "/v1/chat/completions");
        if (!strcmp(method, "POST") && (chat || !strcmp(path, "/v1/completions")))
            start(c, c->in.data, body, chat, received);
        else if (!strcmp(method, "POST") && !strcmp(path, "/tokenize")) {
            char out[128];
            snprintf(out, sizeof out, "{\"count\":%lld,\"max_model_len\":131072}",
                     (long long)count_prompt(body));
            answer(c, 200, "application/json", out);
        } else
            serve_get(c, path);
        body[length] = kept;
        drop(&c->in, head + (size_t)length);
        if (c->closes && !c->stream && !c->out.size) {
            close_connection(c);
            return false;
        }
    }
    return true;
}

static void read_from(Connection *c) {
    static char data[READ_BYTES];
    char control[64];
    struct iovec v = {data, sizeof data};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(c->fd, &m, 0);
    int64_t real = now(CLOCK_REALTIME), mono = now(CLOCK_MONOTONIC);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
        close_connection(c);
        return;
    }
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_TIMESTAMPNS) continue;
        struct timespec t;
        memcpy(&t, CMSG_DATA(h), sizeof t);
        mono -= real - (t.tv_sec * NS_PER_S + t.tv_nsec);
    }
    append(&c->in, data, (size_t)size);
    if (!c->stream) serve(c, mono);
}

static void write_to(Connection *c) {
    ssize_t size = send(c->fd, c->out.data, c->out.size, MSG_NOSIGNAL);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) {
        close_connection(c);
        return;
    }
    drop(&c->out, (size_t)size);
    if (c->out.size) return;
    watch(c, false);
    if (c->closes && !c->stream) close_connection(c);
}

static void accept_all(void) {
    for (int fd; (fd = accept4(S.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        Connection *c = calloc(1, sizeof *c);
        if (!c) die("memory");
        c->fd = fd;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(S.epoll, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
    }
}

static void send_next(Stream *s) {
    char event[3 * EVENT_BYTES];
    int64_t count = s->streaming ? 1 : s->max_tokens;
    int size = 0;
    if (s->streaming)
        size = sprintf(event, "%s %03d%s", s->before, (int)(s->sent % 1000),
                       s->sent == s->max_tokens - 1 ? s->after_last : s->after);
    int64_t time = now(CLOCK_MONOTONIC);
    if (s->streaming)
        send_all(s->connection, event, (size_t)size);
    else
        send_whole(s);
    for (int64_t k = 0; k < count; k++) s->sent_at[s->sent++] = time;
    S.generation_tokens += count;
}

static void finish(Stream *s) {
    Connection *c = s->connection;
    if (s->streaming) send_tail(s);
    s->finished = true;
    S.finished++;
    c->stream = NULL;
    end_stream(s);
    if (c->closes && !c->out.size)
        close_connection(c);
    else if (c->in.size)
        serve(c, now(CLOCK_MONOTONIC));
}

/* Send what is due; nanoseconds until the next token. */
static int64_t send_due(void) {
    int64_t time = now(CLOCK_MONOTONIC);
    while (S.heap_size && S.heap[0]->due <= time) {
        Stream *s = heap_pop();
        if (!s->connection) {
            end_stream(s);
            continue;
        }
        send_next(s);
        if (s->sent == s->max_tokens) {
            finish(s);
        } else {
            s->due = planned(s, s->sent);
            heap_push(s);
        }
    }
    if (!S.heap_size) return IDLE_NS;
    int64_t wait = S.heap[0]->due - now(CLOCK_MONOTONIC);
    return wait < 0 ? 0 : wait < IDLE_NS ? wait : IDLE_NS;
}

static void run(pid_t parent) {
    struct epoll_event events[MAX_EVENTS];
    while (!stopping && (!parent || getppid() == parent)) {
        int64_t wait = send_due();
        if (!S.running && S.ended) write_ended();
        if (wait) { /* epoll's own timeout is in milliseconds; that of ppoll on its descriptor is not */
            struct pollfd p = {S.epoll, POLLIN, 0};
            struct timespec t = {wait / NS_PER_S, wait % NS_PER_S};
            ppoll(&p, 1, &t, NULL);
        }
        int n = epoll_wait(S.epoll, events, MAX_EVENTS, 0);
        for (int i = 0; i < n; i++) {
            Connection *c = events[i].data.ptr;
            if (!c)
                accept_all();
            else if (c->waits_to_write)
                write_to(c);
            else
                read_from(c);
        }
    }
    while (S.heap_size) end_stream(heap_pop());
    write_ended();
}

static void stop(int number) {
    (void)number;
    stopping = 1;
}

static void listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    S.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(S.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (S.listener < 0 || bind(S.listener, (struct sockaddr *)&address, size) || listen(S.listener, 4096)) die("listen");
    S.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    if (S.epoll < 0 || epoll_ctl(S.epoll, EPOLL_CTL_ADD, S.listener, &e)) die("epoll");
    getsockname(S.listener, (struct sockaddr *)&address, &size);
    port = ntohs(address.sin_port);
    printf("{\"port\":%d,\"url\":\"http://127.0.0.1:%d\",\"pid\":%d}\n", port, port, (int)getpid());
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"port", 1, 0, 'p'},  {"ledger", 1, 0, 'l'},      {"ttft-s", 1, 0, 't'}, {"itl-s", 1, 0, 'i'},
        {"core", 1, 0, 'c'}, {"with-parent", 0, 0, 'w'}, {0, 0, 0, 0}};
    int port = 0;
    pid_t parent = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        if (o == 'p') port = atoi(optarg);
        else if (o == 't') S.ttft_s = atof(optarg);
        else if (o == 'i') S.itl_s = atof(optarg);
        else if (o == 'w') parent = getppid();
        else if (o == 'l') {
            if (!(S.ledger = fopen(optarg, "a"))) die(optarg);
        } else if (o == 'c') {
            CPU_SET(atoi(optarg), &cores);
            if (sched_setaffinity(0, sizeof cores, &cores)) die("--core");
        } else return 2;
    }
    struct rlimit files;
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct sigaction on_stop = {.sa_handler = stop}; /* no SA_RESTART: it must end the wait */
    sigaction(SIGTERM, &on_stop, NULL);
    sigaction(SIGINT, &on_stop, NULL);
    S.last_ended = &S.ended;
    listen_on(port);
    run(parent);
    return 0;
}
