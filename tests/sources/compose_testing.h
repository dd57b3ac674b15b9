#pragma once

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "sources/compose.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

namespace kedge::sources {

/// A project folder of its own below /tmp: <path>/shop, with room beside it for what must not be read.
struct ComposeTest : testing::Test {
    std::string path = "/tmp/kedge-compose-XXXXXX";
    ComposeInput input;

    void SetUp() override {
        ASSERT_NE(::mkdtemp(path.data()), nullptr);
        input.directory = path + "/shop";
        ASSERT_EQ(::mkdir(input.directory.c_str(), 0755), 0);
    }
    void TearDown() override { remove_tree(AT_FDCWD, path); }

    /// Writes below the project's folder.
    void write(const std::string& name, const std::string& text, unsigned mode = 0644) {
        Fd folder = open_at(AT_FDCWD, input.directory, O_RDONLY | O_DIRECTORY);
        if (size_t slash = name.rfind('/'); slash != std::string::npos)
            make_folders(folder.get(), name.substr(0, slash));
        // Not truncated: ext4 flushes a truncated file when it is closed.
        (void)::unlinkat(folder.get(), name.c_str(), 0);
        Fd file = open_at(folder.get(), name, O_WRONLY | O_CREAT | O_EXCL, mode);
        write_all(file.get(), text);
    }

    Project load(const std::string& text) {
        write("compose.yaml", text);
        return load_compose(input);
    }

    Service service(const std::string& body) {
        return load("services:\n  web:\n    image: app\n" + indented(body)).services.at("web");
    }

    /// What loading says is wrong; empty if nothing is.
    std::string error(const std::string& text) {
        write("compose.yaml", text);
        return load_error();
    }

    std::string load_error() {
        try {
            load_compose(input);
            return "";
        } catch (const Error& e) {
            // What is wrong with the text stays wrong: nothing here is tried again.
            EXPECT_TRUE(e.code() == Code::invalid_argument || e.code() == Code::not_found) << e.what();
            return e.what();
        }
    }

    std::string service_error(const std::string& body) {
        return error("services:\n  web:\n    image: app\n" + indented(body));
    }

    /// Each of `cases` is the body of a service and what loading says about it after `compose.yaml:`.
    void expect_service_errors(const std::vector<std::pair<std::string, std::string>>& cases) {
        for (const auto& [body, wanted] : cases) EXPECT_EQ(service_error(body), "compose.yaml:" + wanted) << body;
    }
    /// The same with whole files.
    void expect_errors(const std::vector<std::pair<std::string, std::string>>& cases) {
        for (const auto& [text, wanted] : cases) EXPECT_EQ(error(text), "compose.yaml:" + wanted) << text;
    }

    static std::string indented(const std::string& body) {
        std::string result;
        for (size_t start = 0; start < body.size();) {
            size_t end = std::min(body.find('\n', start), body.size());
            result += "    " + body.substr(start, end - start) + "\n";
            start = end + 1;
        }
        return result;
    }
};

}  // namespace kedge::sources
