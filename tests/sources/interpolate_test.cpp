#include "base/error.h"
#include "sources/compose.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

using namespace kedge;
using namespace kedge::sources;

namespace {

const std::map<std::string, std::string> kVariables{{"A", "one"}, {"B", "two"}, {"EMPTY", ""}, {"_x9", "nine"}};

const std::string* lookup(const std::string& name) {
    auto found = kVariables.find(name);
    return found == kVariables.end() ? nullptr : &found->second;
}

}  // namespace

TEST(Interpolation, VariablesAreReplacedAsTheSpecificationSays) {
    const std::pair<const char*, const char*> cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$A", "one"},
        {"${A}", "one"},
        {"$A$B", "onetwo"},
        {"x$A-y", "xone-y"},
        {"$Ab", ""},
        {"${_x9}", "nine"},
        {"$NONE", ""},
        {"$$A", "$A"},
        {"$$$A", "$one"},
        {"$$$$", "$$"},
        {"$${A}", "${A}"},
        {"${NONE:-d}", "d"},
        {"${NONE-d}", "d"},
        {"${EMPTY:-d}", "d"},
        {"${EMPTY-d}", ""},
        {"${A:-d}", "one"},
        {"${NONE:-}", ""},
        {"${A:+x}", "x"},
        {"${EMPTY:+x}", ""},
        {"${EMPTY+x}", "x"},
        {"${NONE+x}", ""},
        {"${NONE:-$A}", "one"},
        {"${NONE:-${NONE2:-${B}}}", "two"},
        {"${A:+${B}}", "two"},
        {"${NONE:-a:b?c-d}", "a:b?c-d"},
        {"${NONE:-{}}", "{}"},
        {"${A:?must be set}", "one"},
        {"${EMPTY?must be set}", ""},
        {"${A:-${NONE:?only asked where it is used}}", "one"},
        {"}{", "}{"},
        {"${NONE:-$$}", "$"},
    };
    for (auto [text, wanted] : cases) EXPECT_EQ(interpolate(text, lookup), wanted) << text;
}

TEST(Interpolation, AnInvalidFormatIsRefused) {
    for (const char* text : {"$", "a $", "$1", "${", "${}", "${A", "${A:", "${A:x}", "${A!x}", "${ A}", "${A }", "$(A)",
                             "${A:-", "${A:-${B}", "${1A}", "$-", "$ A", "${A:-$}", "${-x}"}) {
        EXPECT_THROW(interpolate(text, lookup), Error) << text;
    }
}

TEST(Interpolation, ARequiredVariableThatIsMissingIsNamed) {
    auto message = [](const char* text) {
        try {
            return "no error: " + interpolate(text, lookup);
        } catch (const Error& e) {
            return std::string(e.what());
        }
    };
    EXPECT_EQ(message("${DB_PASS:?give it in .env}"), "required variable DB_PASS is missing a value: give it in .env");
    EXPECT_EQ(message("${EMPTY:?}"), "required variable EMPTY is missing a value");
    EXPECT_EQ(message("${NONE?$A}"), "required variable NONE is missing a value: one");
}

TEST(Interpolation, NestingAndSizeHaveBounds) {
    std::string deep;
    for (int i = 0; i < 100000; ++i) deep += "${NONE:-";
    EXPECT_THROW(interpolate(deep + "x", lookup), Error);
    std::string unused = "${A:-";
    for (int i = 0; i < 3000; ++i) unused += "${LONG-}";
    std::string value(1000, 'x');
    EXPECT_EQ(interpolate(unused + "}", [&](const std::string&) { return &value; }), value)
        << "what isn't used takes no room";
    std::string big(100000, 'x'), many;
    for (int i = 0; i < 1000; ++i) many += "$BIG";
    EXPECT_THROW(interpolate(many, [&](const std::string&) { return &big; }), Error);
}

TEST(Interpolation, TextWithoutADollarStaysAsItIs) {
    EXPECT_TRUE(rc::check([](std::string text) {
        std::erase(text, '$');
        RC_ASSERT(interpolate(text, lookup) == text);
    }));
}

TEST(Interpolation, EscapingDollarsGivesTheTextBack) {
    EXPECT_TRUE(rc::check([](const std::string& text) {
        std::string escaped;
        for (char c : text) escaped += c == '$' ? "$$" : std::string(1, c);
        RC_ASSERT(interpolate(escaped, lookup) == text);
    }));
}
