#include "tests/runtime/containers/launch_fixture.h"

#include <regex>
#include <set>
#include <thread>

namespace kedge::runtime {

TEST_F(LaunchTest, AContainerRunsAndItsExitCodeIsRecorded) {
    EXPECT_EQ(run(request("a", {"true"})).exit_code, 0);
    EXPECT_EQ(run(request("b", {"/bin/false"})).exit_code, 1);
    ExitRecord record = run(shell("c", "echo out; echo err >&2; exit 42"));
    EXPECT_EQ(record.exit_code, 42);
    EXPECT_FALSE(record.oom_killed);
    EXPECT_LT(std::chrono::abs(wall_now() - record.finished), std::chrono::minutes(1));
    EXPECT_EQ(output("c", "stdout"), "out\n");
    EXPECT_EQ(output("c", "stderr"), "err\n");
}

}  // namespace kedge::runtime
