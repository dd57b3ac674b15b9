#include "cli/copy_paths.h"

#include "base/error.h"

#include <gtest/gtest.h>

using namespace kedge;
using namespace kedge::cli;

TEST(CopyArguments, NameAContainerOnlyIfNothingSaysThatTheyAreAPathHere) {
    auto parsed = [](const std::string& text) {
        CopyArgument argument = CopyArgument::parse(text);
        return argument.container + "|" + argument.path;
    };
    EXPECT_EQ(parsed("web:/etc"), "web|/etc");
    EXPECT_EQ(parsed("web:etc"), "web|etc");
    EXPECT_EQ(parsed("web:"), "web|");
    EXPECT_EQ(parsed("web:/a:b"), "web|/a:b");
    EXPECT_EQ(parsed("/web:x"), "|/web:x");
    EXPECT_EQ(parsed("./web:x"), "|./web:x");
    EXPECT_EQ(parsed("../web:x"), "|../web:x");
    EXPECT_EQ(parsed("plain"), "|plain");
    EXPECT_EQ(parsed("-"), "|-");
}

TEST(CopyPaths, AreCleanedByTheirWordsAndKeepWhatSaysThatTheyAreFolders) {
    EXPECT_EQ(clean_words("/a//b/./../c/"), "/a/c");
    EXPECT_EQ(clean_words("/../.."), "/");
    EXPECT_EQ(clean_words("../a"), "../a");
    EXPECT_EQ(clean_words("a/../.."), "..");
    EXPECT_EQ(clean_words(""), ".");
    EXPECT_EQ(absolute("/w", "a/"), "/w/a/");
    EXPECT_EQ(absolute("/w", "a/."), "/w/a/.");
    EXPECT_EQ(absolute("/w", "."), "/w/.");
    EXPECT_EQ(absolute("/w", ".."), "/");
    EXPECT_EQ(absolute("/w", "/x/../y"), "/y");
    EXPECT_EQ(absolute("/w", "/"), "/");
    EXPECT_TRUE(names_folder("a/"));
    EXPECT_TRUE(names_folder("a/."));
    EXPECT_TRUE(names_folder("."));
    EXPECT_FALSE(names_folder("a"));
    EXPECT_FALSE(names_folder(".a"));
}

TEST(CopyPaths, AreSplitIntoFolderAndName) {
    auto parts = [](const std::string& path) {
        SplitPath split(path);
        return split.folder + " " + split.name;
    };
    EXPECT_EQ(parts("/a/b"), "/a b");
    EXPECT_EQ(parts("/a/b/"), "/a b");
    EXPECT_EQ(parts("/a/b/."), "/a/b .");
    EXPECT_EQ(parts("/a"), "/ a");
    EXPECT_EQ(parts("/"), "/ /");
    EXPECT_EQ(parts("/."), "/ .");
    EXPECT_EQ(parts("a"), ". a");
}

TEST(CopyPlans, AreDockers) {
    CopySide file{"/src/file", true, false, {}}, folder{"/src/dir", true, true, {}};
    CopySide to_folder{"/dst", true, true, {}}, to_file{"/dst/f", true, false, {}},
        to_nothing{"/dst/new", false, false, {}}, to_no_folder{"/dst/new/", false, false, {}};
    auto plan = [](const CopySide& source, const CopySide& target) {
        try {
            CopyPlan made = plan_copy(source, target);
            return made.folder + " " + made.name;
        } catch (const Error& e) {
            return std::string(e.what());
        }
    };
    EXPECT_EQ(plan(file, to_folder), "/dst ");
    EXPECT_EQ(plan(folder, to_folder), "/dst ");
    EXPECT_EQ(plan(file, to_file), "/dst f");
    EXPECT_EQ(plan(folder, to_file), "cannot copy directory");
    EXPECT_EQ(plan(file, to_nothing), "/dst new");
    EXPECT_EQ(plan(folder, to_nothing), "/dst new");
    EXPECT_EQ(plan(folder, to_no_folder), "/dst new");
    EXPECT_EQ(plan(file, to_no_folder), "no such directory");
}

TEST(CopyNames, AreReplacedAtTheBeginOnly) {
    EXPECT_EQ(renamed("data/data/x", "data", "new"), "new/data/x");
    EXPECT_EQ(renamed("data/", "data", "new"), "new/");
    EXPECT_EQ(renamed("database", "data", "new"), "database");
    EXPECT_EQ(renamed("./x", ".", "new"), "new/x");
    EXPECT_EQ(renamed("/bin/sh", "/", "root"), "root/bin/sh");
}

TEST(CopiesOfLinks, KeepTheNameThatWasAskedFor) {
    CopySide side = behind_link("/data/link", "/data/sub");
    EXPECT_EQ(side.path, "/data/sub");
    EXPECT_EQ(side.shown_as, "link");
    EXPECT_EQ(behind_link("/data/link/", "/data/sub").path, "/data/sub/");
    EXPECT_EQ(behind_link("/data/link/.", "/data/sub").path, "/data/sub/.");
    EXPECT_EQ(behind_link("/data/link/.", "/data/sub").shown_as, "");
    EXPECT_EQ(behind_link("/a/same", "/b/same").shown_as, "");
}
