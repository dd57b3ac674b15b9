#include "cli/arguments.h"

#include "base/error.h"

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

using namespace kedge;
using namespace kedge::cli;
using Words = std::vector<std::string>;

namespace {

struct Arguments : testing::Test {
    Arguments() {
        app.add_option("-H,--host", host);
        CLI::App* volume = app.add_subcommand("volume");
        CLI::App* list = volume->add_subcommand("ls")->alias("list");
        list->add_flag("-q,--quiet", quiet);
        list->add_option("-f,--filter", filter);
        list->add_option("--last", last);
        list->add_option("name", name);
        CLI::App* push = app.add_subcommand("push");
        push->allow_extras();
    }
    Words read(const Words& words) const { return as_docker_reads(app, words); }
    std::string refusal(const Words& words) const {
        try {
            (void)read(words);
            return {};
        } catch (const Error& error) {
            return std::string(error.what()) + " | " + error.hint();
        }
    }

    CLI::App app{"", "kedge"};
    std::string host, filter, name;
    bool quiet = false;
    int last = 0;
};

}  // namespace

TEST_F(Arguments, ValuesBecomeWordsOfTheirOwn) {
    EXPECT_EQ(read({"volume", "ls", "--filter=a=b"}), (Words{"volume", "ls", "--filter", "a=b"}));
    EXPECT_EQ(read({"volume", "ls", "--filter="}), (Words{"volume", "ls", "--filter", ""}));
    EXPECT_EQ(read({"volume", "ls", "--filter", ""}), (Words{"volume", "ls", "--filter", ""}));
    EXPECT_EQ(read({"volume", "ls", "-fa=b"}), (Words{"volume", "ls", "-f", "a=b"}));
    EXPECT_EQ(read({"volume", "ls", "-f=a"}), (Words{"volume", "ls", "-f", "a"}));
    EXPECT_EQ(read({"volume", "ls", "-qf", "-x"}), (Words{"volume", "ls", "-q", "-f", "-x"}));
    EXPECT_EQ(read({"volume", "ls", "--quiet=false"}), (Words{"volume", "ls", "--quiet=false"}));
}

TEST_F(Arguments, FlagsMayStandBehindNames) {
    EXPECT_EQ(read({"volume", "list", "data", "-q"}), (Words{"volume", "list", "data", "-q"}));
    EXPECT_EQ(read({"volume", "ls", "--", "-q"}), (Words{"volume", "ls", "--", "-q"}));
    EXPECT_EQ(read({"volume", "ls", "-"}), (Words{"volume", "ls", "-"}));
}

TEST_F(Arguments, WhatIsUnknownIsToldWithTheCommandsHelp) {
    EXPECT_EQ(refusal({"volume", "ls", "--bogus"}), "unknown flag: --bogus | kedge volume ls --help");
    EXPECT_EQ(refusal({"--quiet", "volume", "ls"}), "unknown flag: --quiet | kedge --help");
    EXPECT_EQ(refusal({"volume", "ls", "-qx"}), "unknown shorthand flag: 'x' in -qx | kedge volume ls --help");
    EXPECT_EQ(refusal({"volume", "ls", "-f"}), "flag needs an argument: 'f' in -f | kedge volume ls --help");
    EXPECT_EQ(refusal({"volume", "burn"}), "unknown command: kedge volume burn | kedge volume --help");
    EXPECT_EQ(refusal({"burn", "--all"}), "unknown command: kedge burn | kedge --help");
}

TEST_F(Arguments, NumbersAndAnswersAreCheckedWhereTheFlagIsKnown) {
    EXPECT_EQ(refusal({"volume", "ls", "--last", "x"}),
              "invalid argument \"x\" for \"--last\" flag: \"x\" is not a number | ");
    EXPECT_EQ(refusal({"volume", "ls", "--last=1x"}).find("invalid argument \"1x\""), 0u);
    EXPECT_EQ(refusal({"volume", "ls", "--quiet=maybe"}),
              "invalid argument \"maybe\" for \"-q, --quiet\" flag: \"maybe\" is neither true nor false | ");
    EXPECT_EQ(read({"volume", "ls", "--last=-3", "--quiet=F"}), (Words{"volume", "ls", "--last", "-3", "--quiet=F"}));
    EXPECT_THROW((void)read({"volume", "ls", "--bogus"}), FlagError);
}

TEST_F(Arguments, WrongCountsOfWordsAreToldAsDockerDoes) {
    auto told = [](const Error& error) { return std::string(error.what()) + " | " + error.hint(); };
    CLI::App& app_of_list = *app.get_subcommand("volume")->get_subcommand("ls");
    const CommandLine list(app_of_list);
    EXPECT_EQ(told(wrong_count(app_of_list)), "'kedge volume ls' requires at most 1 argument | kedge volume ls --help");
    EXPECT_EQ(told(wrong_count(list, 0, 0)), "'kedge volume ls' accepts no arguments | kedge volume ls --help");
    EXPECT_STREQ(wrong_count(list, 1, 1).what(), "'kedge volume ls' requires 1 argument");
    EXPECT_STREQ(wrong_count(list, 2, kAnyCount).what(), "'kedge volume ls' requires at least 2 arguments");
    EXPECT_STREQ(wrong_count(list, 1, 2).what(), "'kedge volume ls' requires at least 1 and at most 2 arguments");
}

TEST_F(Arguments, ACommandThatTakesAnythingGetsItAsItIs) {
    EXPECT_EQ(read({"push", "--all=", "-x"}), (Words{"push", "--all=", "-x"}));
}

TEST_F(Arguments, TheWordsThatNameCommandsAreFoundPastTheHost) {
    EXPECT_EQ(called_words({"-H", "unix:///x", "volume", "ls", "-q"}), (Words{"volume", "ls"}));
    EXPECT_EQ(called_words({"--host", "unix:///x"}), Words{});
    EXPECT_EQ(called_words({"--version"}), Words{});
}

TEST_F(Arguments, OptionsArePossibleIfSomethingBeginsWithADash) {
    EXPECT_FALSE(may_have_options({"-H", "unix:///x", "exec", "web", "true"}));
    EXPECT_FALSE(may_have_options({}));
    EXPECT_TRUE(may_have_options({"ps", "-a"}));
    EXPECT_TRUE(may_have_options({"cp", "-", "web:/"}));
    EXPECT_TRUE(may_have_options({"exec", "web", "sh", "-c", "true"}))
        << "only the command knows that it is not its own";
}
