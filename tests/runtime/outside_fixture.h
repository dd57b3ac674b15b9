#pragma once

#include "tests/runtime/engine_fixture.h"

namespace kedge::test {

/// Beside the engine lies a folder of the host's that must stay as it is.
struct OutsideFixture : EngineFixture {
    void SetUp() override {
        EngineFixture::SetUp();
        outside = folder + "/outside";
        make_folders(AT_FDCWD, outside);
        write_file_durably(AT_FDCWD, outside + "/secret", "of the host\n");
    }
    void TearDown() override {
        EXPECT_EQ(entries(outside), std::vector<std::string>{"secret"}) << "something was made outside";
        EXPECT_EQ(read_file_at(AT_FDCWD, outside + "/secret"), "of the host\n");
        EngineFixture::TearDown();
    }
    std::string outside;
};

}  // namespace kedge::test
