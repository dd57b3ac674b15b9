#include "tests/runtime/engine_fixture.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <thread>

using namespace kedge;
using namespace kedge::runtime;

namespace {

/// All that comes to the end of the pipe or terminal; at most ten seconds long.
std::string rest_of(int fd) {
    std::string text;
    char buffer[4096];
    pollfd ready{fd, POLLIN, 0};
    while (::poll(&ready, 1, 10000) > 0) {
        ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n <= 0) return text;
        text.append(buffer, static_cast<size_t>(n));
    }
    return text + "<no end>";
}

/// Reads until `part` has come; what came.
std::string read_until(int fd, const std::string& part) {
    std::string text;
    char buffer[4096];
    pollfd ready{fd, POLLIN, 0};
    while (text.find(part) == std::string::npos && ::poll(&ready, 1, 10000) > 0) {
        ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n <= 0) break;
        text.append(buffer, static_cast<size_t>(n));
    }
    return text;
}

struct Attach : test::EngineFixture {
    ContainerSpec with_input(const std::string& script, bool once = true) {
        ContainerSpec spec = shell(script);
        spec.open_stdin = true;
        spec.stdin_once = once;
        return spec;
    }
};

TEST_F(Attach, BeforeTheStartMissesNothingOfAContainerThatIsRemovedAtItsEnd) {
    ContainerSpec spec = shell("echo out; echo err >&2; exit 4");
    spec.auto_remove = true;
    for (int i = 0; i < 20; ++i) {
        std::string id = containers().create(spec);
        auto attached = containers().attach(id, {});
        containers().start(id);
        ASSERT_TRUE(wait_until_gone(id));  // before anything is read
        EXPECT_EQ(rest_of(attached->out()), "out\n");
        EXPECT_EQ(rest_of(attached->err()), "err\n");
        EXPECT_FALSE(attached->wait({}).in) << "it was made without an input";
    }
}

TEST_F(Attach, OutputIsWhatWasWrittenByteForByteAndAlsoWithoutALog) {
    for (const char* driver : {"json-file", "none"}) {
        ContainerSpec spec = shell("printf 'a\\377\\000b'; echo; printf 'no end'");
        spec.log.driver = driver;
        std::string id = containers().create(spec);
        auto attached = containers().attach(id, {.err = false});
        EXPECT_EQ(attached->err(), -1);
        containers().start(id);
        EXPECT_EQ(rest_of(attached->out()), std::string("a\377\0b\nno end", 11)) << driver;
    }
}

TEST_F(Attach, ReadsFromNowToTheEndOfTheRun) {
    std::string id = containers().create(shell("echo before; until [ -e /go ]; do sleep 0.02; done; echo after"));
    containers().start(id);
    ASSERT_TRUE(wait_for_log(id, "before"));
    auto attached = containers().attach(id, {});
    EXPECT_NE(attached->wait({}).since, WallTime{});
    EXPECT_EQ(exec(id, "touch /go").exit_code, 0);
    EXPECT_EQ(rest_of(attached->out()), "after\n");
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_EQ(log_of(id), "before\nafter\n") << "who is attached takes nothing from the log";

    attached = containers().attach(id, {});  // it waits for the next run
    containers().start(id);
    EXPECT_EQ(rest_of(attached->out()), "before\nafter\n");
}

TEST_F(Attach, WhatHasNoLineEndYetIsThereForWhoAsksForIt) {
    std::string id = containers().create(shell("echo line; printf prompt; until [ -e /go ]; do sleep 0.02; done"));
    auto first = containers().attach(id, {});
    containers().start(id);
    EXPECT_EQ(read_until(first->out(), "prompt"), "line\nprompt");
    auto later = containers().attach(id, {.pending = true});
    EXPECT_EQ(read_until(later->out(), "prompt"), "prompt");
    EXPECT_EQ(exec(id, "touch /go").exit_code, 0);
    EXPECT_EQ(rest_of(later->out()), "");
}

TEST_F(Attach, ToWhatNeverStartsCanStopWaitingAndEndsWithTheContainer) {
    std::string id = containers().create(shell("true"));
    auto attached = containers().attach(id, {});
    std::stop_source stop;
    stop.request_stop();
    EXPECT_THROW((void)attached->wait(stop.get_token()), Error);
    containers().remove(id);
    EXPECT_EQ(rest_of(attached->out()), "");
    EXPECT_FALSE(attached->wait({}).in);

    ContainerSpec bad = shell("true");
    bad.command = std::vector<std::string>{"nosuch"};
    id = containers().create(bad);
    attached = containers().attach(id, {});
    EXPECT_THROW(containers().start(id), Error);
    EXPECT_EQ(rest_of(attached->out()), "");
    containers().remove(id);

    std::string source = folder + "/source";
    make_folders(AT_FDCWD, source, 0755);
    ContainerSpec mounted = shell("true");
    mounted.mounts = {bind(source, "/mnt")};
    id = containers().create(mounted);
    remove_tree(AT_FDCWD, source);
    attached = containers().attach(id, {});
    EXPECT_THROW(containers().start(id), Error);  // before there is a shim
    EXPECT_EQ(rest_of(attached->out()), "");
    containers().remove(id);
}

TEST_F(Attach, TheInputEndsWithTheOneWhoWasAttachedToIt) {
    std::string id = containers().create(with_input("cat; echo end"));
    auto attached = containers().attach(id, {.in = true});
    containers().start(id);
    Fd in = attached->wait({}).in;
    ASSERT_TRUE(in);
    write_all(in.get(), "input\n");
    EXPECT_EQ(read_until(attached->out(), "input\n"), "input\n");
    EXPECT_FALSE(containers().attach(id, {.in = true})->wait({}).in) << "there is one only once";
    in.reset();
    EXPECT_EQ(rest_of(attached->out()), "end\n");
    EXPECT_EQ(containers().wait(id), 0);
}

TEST_F(Attach, AnInputThatStaysOpenTakesOneAfterTheOther) {
    std::string id = containers().create(with_input("cat", false));
    containers().start(id);
    for (const char* text : {"one\n", "two\n"}) {
        auto attached = containers().attach(id, {.in = true});
        write_all(attached->wait({}).in.get(), text);
        EXPECT_EQ(read_until(attached->out(), text), text);
    }
    containers().kill(id);
    containers().wait(id);
}

TEST_F(Attach, WhoDoesNotReadHoldsItUpLosesNothingAndIsNotWaitedForAtTheEnd) {
    ContainerSpec spec = shell("seq 100000; touch /done; until [ -e /go ]; do sleep 0.02; done; echo last");
    std::string id = containers().create(spec);
    auto attached = containers().attach(id, {});
    containers().start(id);
    std::string first = read_until(attached->out(), "1000\n");
    EXPECT_NE(exec(id, "test -e /done").exit_code, 0) << "there is more than pipes hold";
    std::string text = first + read_until(attached->out(), "100000\n");
    std::string all;
    for (int i = 1; i <= 100000; ++i) all += std::to_string(i) + "\n";
    EXPECT_TRUE(text == all);
    EXPECT_EQ(exec(id, "touch /go").exit_code, 0);
    EXPECT_EQ(containers().wait(id), 0) << "nobody has read its last word";
    EXPECT_EQ(rest_of(attached->out()), "last\n");
}

TEST_F(Attach, WhatIsInThePipesWhenItEndsIsKeptForWhoHasNotReadYet) {
    std::string all;
    for (int i = 100001; i <= 118000; ++i) all += std::to_string(i) + "\n";
    // More than the pipe of who is attached and the shim hold, less than those and the container's own pipe.
    std::string id = containers().create(shell("seq 100001 118000"));
    auto attached = containers().attach(id, {});
    containers().start(id);
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_TRUE(log_of(id) == all);
    EXPECT_TRUE(rest_of(attached->out()) == all);
}

TEST_F(Attach, WhoLeavesIsNoLongerWaitedFor) {
    std::string id = containers().create(shell("seq 100000"));
    auto attached = containers().attach(id, {});
    containers().start(id);
    EXPECT_NE(read_until(attached->out(), "1\n"), "");
    attached.reset();
    EXPECT_EQ(containers().wait(id), 0);
    EXPECT_TRUE(log_of(id, {.tail = 1}) == "100000\n");
}

TEST_F(Attach, TooManyAreRefusedAndThoseThatAreThereGoOn) {
    std::string id = run(shell("until [ -e /go ]; do sleep 0.02; done; echo word"));
    std::vector<std::unique_ptr<Attachment>> all;
    for (int i = 0; i < 16; ++i) all.push_back(containers().attach(id, {}));
    Code code = Code::internal;
    std::string why = refusal([&] { (void)containers().attach(id, {}); }, &code);
    EXPECT_EQ(code, Code::resource_exhausted) << why;
    all.pop_back();
    EXPECT_EQ(exec(id, "sleep 0.1").exit_code, 0);  // the shim sees that it is gone
    all.push_back(containers().attach(id, {}));
    EXPECT_EQ(exec(id, "touch /go").exit_code, 0);
    for (const auto& attached : all) EXPECT_EQ(rest_of(attached->out()), "word\n");
}

TEST_F(Attach, ATerminalCarriesBothDirectionsAndHasASize) {
    ContainerSpec spec = with_input("read line; stty size; echo \"got $line\"; read line; stty size; exit 5");
    spec.tty = true;
    spec.terminal_rows = 30;
    spec.terminal_columns = 100;
    std::string id = containers().create(spec);
    auto attached = containers().attach(id, {.in = true});
    EXPECT_EQ(attached->err(), -1) << "a terminal has one stream";
    containers().start(id);
    Fd in = attached->wait({}).in;
    ASSERT_TRUE(in);
    write_all(in.get(), "x\r");
    EXPECT_EQ(read_until(attached->out(), "got x\r\n"), "x\r\n30 100\r\ngot x\r\n");
    containers().resize(id, 40, 120);
    write_all(in.get(), "\r");
    EXPECT_EQ(rest_of(attached->out()), "\r\n40 120\r\n");
    EXPECT_EQ(containers().wait(id), 5);
    Code code = Code::internal;
    (void)refusal([&] { containers().resize(id, 1, 1); }, &code);
    EXPECT_EQ(code, Code::conflict) << "it runs no longer";
}

TEST_F(Attach, TheNextAgentReachesATerminalThatAFormerOneMade) {
    ContainerSpec spec = with_input("while read line; do echo \"got $line\"; done");
    spec.tty = true;
    std::string id = run(spec);
    close_engine();
    open_engine();
    auto attached = containers().attach(id, {.in = true});
    Fd in = attached->wait({}).in;
    ASSERT_TRUE(in);
    write_all(in.get(), "x\r");
    EXPECT_EQ(read_until(attached->out(), "got x\r\n"), "x\r\ngot x\r\n");
    write_all(in.get(), "\x04");
    EXPECT_EQ(containers().wait(id), 0);
}

TEST_F(Attach, AnExecHasATerminalOfItsOwn) {
    std::string id = run(shell("sleep 1000"));
    ExecSpec spec = command({"sh", "-c", "stty size; echo $TERM; read x; echo got $x; exit 6"});
    spec.tty = true;
    spec.rows = 25;
    spec.columns = 90;
    auto execution = containers().begin_exec(id, spec, -1, -1, -1);
    EXPECT_GT(execution->pid(), 0);
    Fd terminal = execution->take_terminal();
    std::string text = read_until(terminal.get(), "xterm\r\n");
    write_all(terminal.get(), "y\r");
    text += rest_of(terminal.get());
    EXPECT_EQ(execution->wait(), 6);
    EXPECT_EQ(text, "25 90\r\nxterm\r\ny\r\ngot y\r\n");
    containers().remove(id, {.force = true});
}

}  // namespace
