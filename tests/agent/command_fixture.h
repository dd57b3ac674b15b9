#pragma once

#include "tests/agent/agent_fixture.h"

#include <sys/mman.h>

#include <sstream>

namespace kedge::test {

/// The command `kedge` with a whole agent behind it.
struct CommandLine : AgentFixture {
    struct Result {
        int code = 0;
        std::string out, err;
    };
    /// A started command whose streams are kept.
    struct Running {
        Fd out = memory(), err = memory();
        std::unique_ptr<Process> process;

        Result end() {
            auto status = process->wait(std::chrono::seconds(60));
            if (!status) return {-1, said(), "it does not end"};
            int code = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
            return {code, said(), content(err)};
        }
        std::string said() const { return content(out); }
    };

    void SetUp() override {
        AgentFixture::SetUp();
        ASSERT_TRUE(start());
        (void)import("box:1", {"CMD [\"sh\"]"});
    }

    static Fd memory(std::string_view content = {}) {
        Fd fd(::memfd_create("stream", MFD_CLOEXEC));
        write_all(fd.get(), content);
        (void)::lseek(fd.get(), 0, SEEK_SET);
        return fd;
    }
    static std::string content(const Fd& fd) {
        return read_file_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd.get()));
    }

    Running begin(std::vector<std::string> arguments, std::string_view in = {}) const {
        Running running;
        Fd input = memory(in);
        arguments.insert(arguments.begin(), KEDGE_BUILD "/bin/kedge");
        Process::Options options{{{"KEDGE_HOST", "unix://" + folder + "/run/kedge.sock"}},
                                 input.get(),
                                 running.out.get(),
                                 running.err.get()};
        running.process = std::make_unique<Process>(std::move(arguments), options);
        return running;
    }
    Result kedge(std::vector<std::string> arguments, std::string_view in = {}) const {
        return begin(std::move(arguments), in).end();
    }
    /// What it prints when all goes well.
    std::string said(std::vector<std::string> arguments, std::string_view in = {}) const {
        std::string line;
        for (const std::string& argument : arguments) line += " " + argument;
        Result result = kedge(std::move(arguments), in);
        EXPECT_EQ(result.code, 0) << "kedge" << line << ": " << result.err;
        return result.out;
    }
    std::string archive() const {
        std::string path = folder + "/rootfs.tar";
        write_file_durably(AT_FDCWD, path, rootfs());
        return path;
    }
};

inline std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> result;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) result.push_back(line);
    return result;
}

}  // namespace kedge::test
