#include "runtime/log_attributes.h"
#include "tests/runtime/engine_fixture.h"

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

using namespace kedge;
using namespace kedge::runtime;

namespace {

struct Logs : test::EngineFixture {
    static ContainerSpec rotating(const std::string& script, const std::string& size, const std::string& files) {
        ContainerSpec spec = shell(script);
        spec.log.options = {{"max-size", size}, {"max-file", files}};
        return spec;
    }
    std::vector<LogLine> lines(const std::string& id, const LogOptions& log_options = {}) {
        std::vector<LogLine> all;
        containers().logs(id, log_options, [&](const LogLine& line) {
            all.push_back(line);
            return true;
        });
        return all;
    }
    std::vector<std::string> log_files(const std::string& id) {
        std::vector<std::string> found;
        for (const auto& name : entries(options.root + "/containers/" + id)) {
            if (name.starts_with(id)) found.push_back(name.substr(id.size()));
        }
        std::sort(found.begin(), found.end());
        return found;
    }
    int64_t size_of(const std::string& id, const std::string& suffix) {
        struct stat info {};
        EXPECT_EQ(::stat((options.root + "/containers/" + id + "/" + id + suffix).c_str(), &info), 0);
        return info.st_size;
    }
};

}  // namespace

TEST_F(Logs, AttributesAreWhatTheOptionsName) {
    ContainerSpec spec = shell("true", "named");
    spec.labels = {{"a", "1"}, {"b", "2"}, {"team.x", "y"}};
    spec.environment = {"FOO=a b", "FOX=3", "BAR=4", "GONE"};
    auto attributes = [&](std::map<std::string, std::string> log_options) {
        spec.log.options = std::move(log_options);
        std::string id = containers().create(spec);
        auto result = log_attributes(containers().inspect(id));
        containers().remove(id, {});
        return result;
    };
    using Texts = std::map<std::string, std::string>;
    EXPECT_EQ(attributes({}), Texts());
    EXPECT_EQ(attributes({{"labels", "b,nosuch"}, {"env", "FOO,GONE,PATH"}}), (Texts{{"b", "2"}, {"FOO", "a b"}}));
    EXPECT_EQ(attributes({{"labels-regex", "^team\\."}, {"env-regex", "(?i)^fo"}}),
              (Texts{{"team.x", "y"}, {"FOO", "a b"}, {"FOX", "3"}}));
    spec.command = std::vector<std::string>{"sleep", "5"};
    EXPECT_EQ(attributes({{"tag", "{{.Name}}/{{ .ImageName }}/{{.Command}}-x"}}),
              (Texts{{"tag", "named/busybox/sleep 5-x"}}));
    EXPECT_EQ(attributes({{"tag", "{{.ID}}"}}).at("tag").size(), 12u);
    // In time that is linear, which expressions that go back aren't.
    spec.labels = {{std::string(2000, 'a'), "x"}};
    EXPECT_EQ(attributes({{"labels-regex", "^(a+)+$b"}}), Texts());
}

TEST_F(Logs, OptionsThatCantBeUnderstoodAreRefused) {
    auto refused = [&](const std::string& key, const std::string& value) {
        ContainerSpec spec = shell("true");
        spec.log.options = {{key, value}};
        return refusal([&] { (void)containers().create(spec); });
    };
    EXPECT_EQ(refused("labels-regex", "("), "error parsing regexp: missing ): (: `(`");
    EXPECT_TRUE(refused("env-regex", "[").starts_with("error parsing regexp: "));
    EXPECT_EQ(refused("tag", "{{.Nope}}"), "log opt tag: \".Nope\" is none of the fields that a tag has");
    EXPECT_EQ(refused("tag", "a{{.ID"), "log opt tag: \"a{{.ID\": unclosed action");
    EXPECT_EQ(refused("nope", "1"), "unknown log opt 'nope' for json-file log driver");
}

TEST_F(Logs, LinesHaveTimesAndStreams) {
    auto before = wall_now();
    std::string id = run(shell("echo one; echo two >&2; echo three"));
    (void)containers().wait(id);
    auto all = lines(id);
    ASSERT_EQ(all.size(), 3u);
    for (const auto& line : all) {
        EXPECT_GE(line.time, before);
        EXPECT_LE(line.time, wall_now());
        EXPECT_EQ(line.err, line.text == "two\n");
    }
    EXPECT_EQ(log_of(id, {.err = false}), "one\nthree\n");
    EXPECT_EQ(log_of(id, {.out = false}), "two\n");
    EXPECT_EQ(log_of(id, {.out = false, .err = false}), "");
}

TEST_F(Logs, TheTailHasTheLastLines) {
    std::string id = run(shell("seq 1 1000"));
    (void)containers().wait(id);
    EXPECT_EQ(log_of(id, {.tail = 3}), "998\n999\n1000\n");
    EXPECT_EQ(log_of(id, {.tail = 0}), "");
    EXPECT_EQ(lines(id, {.tail = 5000}).size(), 1000u);
    EXPECT_EQ(lines(id, {.tail = 1000}).size(), 1000u);
    EXPECT_EQ(lines(id, {.tail = 999}).size(), 999u);
    int taken = 0;
    containers().logs(id, {}, [&](const LogLine&) { return ++taken < 5; });
    EXPECT_EQ(taken, 5) << "whoever reads may end it";
}

TEST_F(Logs, SinceAndUntilCutByTime) {
    std::string id = run(shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.02; done"));
    (void)containers().wait(id);
    auto all = lines(id);
    ASSERT_EQ(all.size(), 6u);
    EXPECT_EQ(log_of(id, {.since = all[3].time}), "4\n5\n6\n");
    EXPECT_EQ(log_of(id, {.until = all[2].time}), "1\n2\n3\n");
    EXPECT_EQ(log_of(id, {.since = all[1].time, .until = all[2].time}), "2\n3\n");
    EXPECT_EQ(log_of(id, {.tail = 2, .since = all[5].time}), "6\n");
    EXPECT_EQ(log_of(id, {.since = wall_now()}), "");
    EXPECT_EQ(log_of(id, {.follow = true, .since = all[4].time}), "5\n6\n") << "following what has ended ends";
}

TEST_F(Logs, FollowingEndsAtTheTimeItWasGiven) {
    std::string id = run(shell("while :; do echo x; sleep 0.01; done"));
    std::string text = log_of(id, {.follow = true, .until = wall_now() + std::chrono::milliseconds(300)});
    EXPECT_NE(text, "");
    EXPECT_EQ(containers().inspect(id).status, Status::running);
}

TEST_F(Logs, FollowingCanBeCancelledAndEndsWithARemovedContainer) {
    std::string id = run(shell("echo ready; sleep 1000"));
    std::stop_source source;
    auto cancelled = std::async(std::launch::async, [&, token = source.get_token()] {
        return code_of([&] {
            containers().logs(
                id, {.follow = true}, [](const LogLine&) { return true; }, token);
        });
    });
    source.request_stop();
    EXPECT_EQ(cancelled.get(), Code::cancelled);
    std::promise<void> begun;
    auto removed = std::async(std::launch::async, [&] {
        containers().logs(id, {.follow = true}, [&](const LogLine&) {
            begun.set_value();
            return true;
        });
    });
    begun.get_future().wait();
    containers().remove(id, {.force = true});
    EXPECT_EQ(removed.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(Logs, ALineWithoutAnEndIsThereOnceItsWriterIsGone) {
    std::string id = run(shell("printf 'no end'; printf 'err' >&2"));
    (void)containers().wait(id);
    EXPECT_EQ(log_of(id, {.err = false}), "no end");
    EXPECT_EQ(log_of(id, {.out = false}), "err");
}

TEST_F(Logs, ALineLongerThanTheBufferComesInPartsAndWhole) {
    std::string id = run(shell("head -c 100000 /dev/zero | tr '\\0' x; echo; echo after"));
    (void)containers().wait(id);
    auto all = lines(id);
    EXPECT_EQ(all.size(), 8u) << "six whole parts, what is left of it, and the next line";
    EXPECT_EQ(log_of(id), std::string(100000, 'x') + "\nafter\n");
    EXPECT_EQ(all[0].text.size(), 16384u);
}

TEST_F(Logs, EveryByteThatIsTextComesBackAndWhatIsNoneIsReplaced) {
    std::string id =
        run(shell("printf '\\001\\002\\t\\r\"\\\\<&>/ \\303\\244 \\342\\200\\250 \\360\\237\\232\\242 end\\n'; printf "
                  "'bad \\377\\303 \\300\\200 \\000zero\\n'"));
    (void)containers().wait(id);
    auto all = lines(id);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].text, "\001\002\t\r\"\\<&>/ \303\244 \342\200\250 \360\237\232\242 end\n");
    const std::string replaced = "\357\277\275";
    EXPECT_EQ(all[1].text,
              "bad " + replaced + replaced + " " + replaced + replaced + " " + std::string(1, '\0') + "zero\n");
}

TEST_F(Logs, ACharacterThatAPartOfALongLineCutsIsNotBroken) {
    std::string id = run(shell(
        "x=$(printf '\\303\\244'); i=0; while [ $i -lt 12 ]; do x=$x$x; i=$((i+1)); done; printf \"a$x$x$x$x$x\\n\""));
    (void)containers().wait(id);
    std::string expected = "a";
    for (int i = 0; i < 5 * 4096; ++i) expected += "\303\244";
    EXPECT_TRUE(log_of(id) == expected + "\n") << "of " << expected.size() << " bytes";
}

TEST_F(Logs, AFullFileIsRotatedAndOnlySoManyAreKept) {
    std::string id = run(rotating("seq 1 3000", "20k", "3"));
    (void)containers().wait(id);
    EXPECT_EQ(log_files(id), (std::vector<std::string>{"-json.log", "-json.log.1", "-json.log.2"}));
    EXPECT_LE(size_of(id, "-json.log.1"), 20480 + 200);
    auto all = lines(id);
    ASSERT_FALSE(all.empty());
    EXPECT_EQ(all.back().text, "3000\n");
    EXPECT_LT(all.size(), 3000u);
    for (size_t i = 1; i < all.size(); ++i)
        ASSERT_EQ(std::stoi(all[i].text), std::stoi(all[i - 1].text) + 1) << "a gap between two files";
    EXPECT_EQ(log_of(id, {.tail = 2}), "2999\n3000\n");
    EXPECT_EQ(lines(id, {.tail = 400}).size(), 400u) << "over the border between two files";
}

TEST_F(Logs, WithOneFileTheOldLinesGo) {
    std::string id = run(rotating("seq 1 3000", "20k", "1"));
    (void)containers().wait(id);
    EXPECT_EQ(log_files(id), std::vector<std::string>{"-json.log"});
    EXPECT_LE(size_of(id, "-json.log"), 20480 + 200);
    EXPECT_EQ(lines(id).back().text, "3000\n");
}

TEST_F(Logs, WhoFollowsMissesNothingWhenItIsRotated) {
    // Each file is written slowly enough to be read before it is gone.
    std::string id = run(rotating("for i in $(seq 1 600); do echo $i; usleep 300; done", "10k", "4"));
    std::vector<std::string> seen;
    containers().logs(id, {.follow = true}, [&](const LogLine& line) {
        seen.push_back(line.text);
        return true;
    });
    ASSERT_EQ(seen.size(), 600u);
    for (size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], std::to_string(i + 1) + "\n");
    EXPECT_GT(log_files(id).size(), 2u);
}

TEST_F(Logs, HundredsFollowWithoutAThreadEach) {
    std::string id = run(shell("until [ -e /go ]; do sleep 0.02; done; echo word"));
    auto threads = [] {
        auto tasks = std::filesystem::directory_iterator("/proc/self/task");
        return std::distance(begin(tasks), end(tasks));
    };
    auto before = threads();
    std::atomic<int> told = 0;
    std::vector<std::unique_ptr<LogFollower>> followers;
    for (int i = 0; i < 300; ++i) followers.push_back(containers().follow(id, {.follow = true}, [&] { ++told; }));
    EXPECT_LE(threads(), before + 1);
    auto nothing = [](const LogLine&) { return true; };
    EXPECT_EQ(followers.front()->read(nothing), LogFollower::Read::waiting);
    EXPECT_EQ(exec(id, "touch /go").exit_code, 0);
    EXPECT_EQ(containers().wait(id), 0);
    auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (told < 300 && std::chrono::steady_clock::now() < late) std::this_thread::yield();
    EXPECT_GE(told, 300) << "each is told of its end, at least";
    for (auto& follower : followers) {
        std::string text;
        auto read = follower->read([&](const LogLine& line) {
            text += line.text;
            return true;
        });
        EXPECT_EQ(text, "word\n");
        EXPECT_EQ(read, LogFollower::Read::ended);
    }
    containers().remove(id);
    followers.clear();
}

TEST_F(Logs, RotationGoesOnWhereTheRunBeforeLeftOff) {
    std::string id = run(rotating("seq 1 150", "10k", "2"));
    (void)containers().wait(id);
    containers().start(id);
    (void)containers().wait(id);
    EXPECT_EQ(log_files(id).size(), 2u);
    EXPECT_EQ(log_of(id, {.tail = 1}), "150\n");
}

TEST_F(Logs, FiftyMegabytesAreKeptWhole) {
    std::string id = run(shell("yes 'a line of forty-nine bytes, neither more nor less' | head -c 50000000"));
    size_t bytes = 0;
    containers().logs(id, {.follow = true}, [&](const LogLine& line) {
        bytes += line.text.size();
        return true;
    });
    EXPECT_EQ(bytes, 50000000u);
    EXPECT_EQ(log_of(id, {.tail = 1}).substr(0, 10), "a line of ");
}

TEST_F(Logs, AFloodOnOneStreamDoesNotHoldTheOtherBack) {
    std::string id = run(shell("yes & sleep 0.05; echo hear me >&2; sleep 1000"));
    std::stop_source source;
    std::jthread deadline = stop_after(source, std::chrono::seconds(20));
    bool heard = false;
    LogOptions only_errors{.follow = true, .out = false};
    auto listen = [&](const LogLine& line) { return !(heard = line.text == "hear me\n"); };
    EXPECT_NO_THROW(containers().logs(id, only_errors, listen, source.get_token()))
        << "not heard while the flood goes on";
    EXPECT_TRUE(heard);
    containers().remove(id, {.force = true});
}

TEST_F(Logs, WhoFollowsAFloodCanStillStop) {
    std::string id = run(rotating("yes", "1m", "2"));
    std::stop_source source;
    std::jthread soon = stop_after(source, std::chrono::milliseconds(200));
    auto begin = std::chrono::steady_clock::now();
    LogOptions only_errors{.follow = true, .out = false};
    EXPECT_EQ(code_of([&] {
                  containers().logs(
                      id, only_errors, [](const LogLine&) { return true; }, source.get_token());
              }),
              Code::cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    containers().remove(id, {.force = true});
}

TEST_F(Logs, AProcessThatWritesForEverDoesNotOutliveItsContainer) {
    // In the host's pid namespace what the first process leaves behind goes on writing.
    ContainerSpec spec = rotating("yes & echo ready >&2; exit 3", "1m", "1");
    spec.pid_mode = "host";
    std::string id = run(spec);
    std::stop_source source;
    std::jthread deadline = stop_after(source, std::chrono::seconds(10));
    try {
        EXPECT_EQ(containers().wait(id, source.get_token()), 3);
    } catch (const Error& e) {
        ADD_FAILURE() << "it does not end: " << e.what();
    }
}

TEST_F(Logs, WithoutADriverThereIsNothingToRead) {
    ContainerSpec spec = shell("echo lost; exit 2");
    spec.log.driver = "none";
    std::string id = run(spec);
    EXPECT_EQ(containers().wait(id), 2);
    EXPECT_EQ(refusal([&] { (void)log_of(id); }), "configured logging driver does not support reading");
    EXPECT_TRUE(log_files(id).empty());
}

TEST_F(Logs, ADamagedLineIsPassedOver) {
    std::string id = run(shell("seq 1 3"));
    (void)containers().wait(id);
    std::string path = options.root + "/containers/" + id + "/" + id + "-json.log";
    std::string text = read_file_at(AT_FDCWD, path);
    size_t second = text.find('\n') + 1;
    text.replace(second, 8, std::string(8, '\0'));  // as after a power cut
    write_file_durably(AT_FDCWD, path, text + "{\"log\":\"half a li");
    EXPECT_EQ(log_of(id), "1\n3\n");
    containers().start(id);
    (void)containers().wait(id);
    EXPECT_EQ(log_of(id), "1\n3\n1\n2\n3\n") << "half a line spoils no other";
}
