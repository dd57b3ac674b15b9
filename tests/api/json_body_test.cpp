#include "api/json_body.h"

#include "api/filters.h"
#include "api/frames.h"
#include "api/registry_auth.h"
#include "api/reply.h"
#include "api/stream_time.h"
#include "base/error.h"

#include <gtest/gtest.h>

namespace kedge::api {
namespace {

using nlohmann::json;

Request with_body(const std::string& body) {
    Request request;
    request.read_body = [body](const std::function<bool(std::string_view)>& sink) { sink(body); };
    return request;
}

Request with_query(const std::string& name, const std::string& value) {
    Request request;
    request.query.emplace(name, value);
    return request;
}

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::invalid_argument) << error.what();
        return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return {};
}

TEST(JsonBody, AnAbsentOrNullBodyIsAnEmptyObject) {
    for (const char* text : {"", " \r\n\t", "null", "{}"})
        EXPECT_EQ(json_body(with_body(text)), json::object()) << text;
}

TEST(JsonBody, WhatIsNoObjectIsRefused) {
    for (const char* text :
         {"[]", "1", "\"{}\"", "true", "{", "{}}", "{\"a\":}", "{'a':1}", "{\"a\":1,}", "{\"a\":NaN}", "{\"a\":1e999}",
          "{\"a\":01}", "{} {}", "\xff", "{\"a\":\"\xff\"}", "{\"\xc3\x28\":1}", "{\"a\":\"\\ud800\"}"}) {
        message_of([&] { json_body(with_body(text)); });
    }
}

TEST(JsonBody, NestingIsBoundedLongBeforeTheStackIs) {
    auto nested = [](size_t depth) { return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}"; };
    EXPECT_NO_THROW(json_body(with_body(nested(60))));
    EXPECT_NE(message_of([&] { json_body(with_body(nested(100))); }).find("nested too deeply"), std::string::npos);
    message_of([&] { json_body(with_body(nested(1'000'000))); });
    std::string objects;
    for (int i = 0; i < 300'000; ++i) objects += "{\"a\":";
    message_of([&] { json_body(with_body(objects)); });
    message_of([&] { json_body(with_body(std::string(1'000'000, '['))); });
}

TEST(JsonBody, OfRepeatedNamesTheLastCounts) {
    json body = json_body(with_body(R"({"a":1,"a":2})"));
    EXPECT_EQ(Fields(body, "").number("a"), 2);
}

TEST(JsonBody, BytesThatAreNoTextAreReplacedInAnswers) {
    EXPECT_EQ(to_text({{"Output",
                        "a\xff\xfe"
                        "b\xc3"}}),
              "{\"Output\":\"a\xef\xbf\xbd\xef\xbf\xbd"
              "b\xef\xbf\xbd\"}");
    Response reply = error_reply(Error(Code::not_found, "no such container: \xff", "try \xfe"));
    EXPECT_EQ(json::parse(reply.body)["message"], "no such container: \xef\xbf\xbd");
    EXPECT_EQ(error_reply(Error(Code::not_modified, "runs already")).body, "");
}

TEST(Fields, GiveDefaultsForWhatIsAbsentOrNull) {
    json body = {{"null", nullptr}};
    Fields fields(body, "Config");
    for (const char* key : {"null", "absent"}) {
        EXPECT_EQ(fields.text(key), "");
        EXPECT_FALSE(fields.flag(key));
        EXPECT_EQ(fields.number(key), 0);
        EXPECT_TRUE(fields.texts(key).empty());
        EXPECT_FALSE(fields.texts_if_any(key));
        EXPECT_TRUE(fields.text_map(key).empty());
        EXPECT_TRUE(fields.object(key).keys().empty());
        EXPECT_TRUE(fields.objects(key).empty());
        EXPECT_TRUE(fields.object_map(key).empty());
        EXPECT_FALSE(fields.has(key));
    }
}

TEST(Fields, NameTheMemberOfAnotherType) {
    const json values = {
        true, 1, 1.5, "x", json::array({1}), json::array({nullptr}), json::object({{"a", 1}}), uint64_t{1} << 63};
    for (const json& value : values) {
        json body = {{"key", value}};
        Fields fields(body, "Host");
        auto refused = [&](const char* expected, const std::function<void()>& work) {
            EXPECT_EQ(message_of(work), std::string("Host.key: must be ") + expected) << value;
        };
        if (!value.is_string()) refused("a string", [&] { fields.text("key"); });
        if (!value.is_boolean()) refused("true or false", [&] { fields.flag("key"); });
        if (value != 1) refused("a whole number", [&] { fields.number("key"); });
        if (!value.is_string()) refused("a list of strings", [&] { fields.texts("key"); });
        refused(value.is_object() ? "an object of strings" : "an object of strings", [&] { fields.text_map("key"); });
        if (!value.is_object()) refused("an object", [&] { fields.object("key"); });
        if (!value.is_array()) refused("a list of objects", [&] { fields.objects("key"); });
    }
    json body = {{"key", json::array({json::object(), 1})}, {"map", {{"a", 1}}}};
    EXPECT_EQ(message_of([&] { Fields(body, "").objects("key"); }), "key[1]: must be an object");
    EXPECT_EQ(message_of([&] { Fields(body, "").object_map("map"); }), "map.a: must be an object");
}

TEST(Fields, NamesAreReadInAnyCaseAndTheRightOneFirst) {
    const json body = {{"cmd", "a"}, {"CMD", "b"}, {"Cmd", "c"}, {"hostCONFIG", {{"MEMORY", 5}}}, {"K\u212a", 1}};
    const Fields fields(body, "");
    EXPECT_EQ(fields.text("Cmd"), "c");
    EXPECT_EQ(fields.object("HostConfig").number("Memory"), 5);
    EXPECT_FALSE(fields.has("kk")) << "letters beyond ASCII are themselves";
    EXPECT_NO_THROW(fields.object("HostConfig").refuse_others({"Memory"}));
}

TEST(Fields, RefuseOthersThatAskForSomething) {
    const json plain = {{"a", nullptr},        {"b", false},         {"c", 0},      {"d", -1},           {"e", ""},
                        {"f", json::object()}, {"g", json::array()}, {"h", {0, 0}}, {"known", {1, 2, 3}}};
    EXPECT_NO_THROW(Fields(plain, "").refuse_others({"known"}));
    for (const json& value :
         json{true, 1, -2, 0.5, "x", json::object({{"a", nullptr}}), json::array({1}), json::array({json::object()})}) {
        json body = {{"Other", value}};
        EXPECT_EQ(message_of([&] { Fields(body, "Host").refuse_others({"known"}); }),
                  "Host.Other: is not supported by kedge")
            << value;
    }
}

TEST(Filters, AreReadInBothOfDockersForms) {
    const std::set<std::string> known = {"status", "label", "dangling"};
    Filters lists(with_query("filters", R"({"status":["running","exited"],"label":["a=b","c"]})"), known);
    EXPECT_TRUE(lists.exact("status", "exited"));
    EXPECT_FALSE(lists.exact("status", "created"));
    EXPECT_TRUE(lists.labels({{"a", "b"}, {"c", "x"}}));
    EXPECT_FALSE(lists.labels({{"a", "other"}, {"c", ""}}));
    EXPECT_FALSE(lists.labels({{"a", "b"}}));
    EXPECT_TRUE(lists.exact("dangling", "anything")) << "nothing is asked of it";
    Filters maps(with_query("filters", R"({"status":{"running":true,"exited":false}})"), known);
    EXPECT_EQ(maps.values("status"), std::set<std::string>{"running"});
    EXPECT_FALSE(Filters(with_query("filters", R"({"status":[]})"), known).has("status"));
    EXPECT_FALSE(Filters(Request{}, known).has("status"));
}

TEST(Filters, MatchWithRegularExpressions) {
    auto match = [](const std::string& expression, const std::string& value) {
        return Filters(with_query("filters", json{{"name", {expression}}}.dump()), {"name"}).match("name", value);
    };
    EXPECT_TRUE(match("b.*[0-9]$", "web2"));
    EXPECT_FALSE(match("b.*[0-9]$", "web2x"));
    EXPECT_TRUE(match("eb", "web"));
    EXPECT_FALSE(match("^eb", "web"));
    EXPECT_TRUE(match("a|w", "web"));
    EXPECT_FALSE(match("(", "web")) << "it is none";
    EXPECT_TRUE(match("(", "(")) << "but a value all the same";
    EXPECT_FALSE(match("(a*)*(a*)*(a*)*b", std::string(3000, 'a'))) << "which takes others for ever";
}

TEST(Filters, ThatAreMalformedOrUnknownAreRefused) {
    for (const char* bad : {"x", "[]", "1", "null", R"({"other":["x"]})", R"({"status":"running"})",
                            R"({"status":[1]})", R"({"status":[null]})", R"({"status":1})", R"({"status":["a")"}) {
        message_of([&] { Filters(with_query("filters", bad), {"status"}); });
    }
    EXPECT_EQ(message_of([] { Filters(with_query("filters", R"({"x":["y"]})"), {"status"}); }), "invalid filter 'x'");
    Filters odd(with_query("filters", R"({"dangling":["maybe"]})"), {"dangling"});
    message_of([&] { odd.flag("dangling", false); });
}

TEST(RegistryAuth, IsReadInAllFormsThatClientsSend) {
    EXPECT_FALSE(read_registry_auth(""));
    EXPECT_FALSE(read_registry_auth("e30=")) << "{}";
    EXPECT_FALSE(read_registry_auth("bnVsbA==")) << "null, which the docker command sends";
    // {"username":"ann","password":"p?~>"}: 63 and 62 in both alphabets, with and without padding
    for (const char* text :
         {"eyJ1c2VybmFtZSI6ImFubiIsInBhc3N3b3JkIjoicD9-PiJ9", "eyJ1c2VybmFtZSI6ImFubiIsInBhc3N3b3JkIjoicD9+PiJ9"}) {
        auto read = read_registry_auth(text);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->username, "ann");
        EXPECT_EQ(read->password, "p?~>");
    }
    for (const char* bad : {"%%%", "e30 ", "W10=", "e3s=", "eyJ1c2VybmFtZSI6MX0=", "eyJpZGVudGl0eXRva2VuIjoieCJ9"}) {
        message_of([&] { read_registry_auth(bad); });
    }
}

TEST(RegistryAuth, NeverTellsTheSecretInItsErrors) {
    // {"username":1,"password":"hunter2"} and the same cut off
    for (const char* bad : {"eyJ1c2VybmFtZSI6MSwicGFzc3dvcmQiOiJodW50ZXIyIn0=", "eyJwYXNzd29yZCI6Imh1bnRlcjI"}) {
        EXPECT_EQ(message_of([&] { read_registry_auth(bad); }).find("hunter2"), std::string::npos);
    }
}

TEST(StreamTime, IsUnixTimeOrRfc3339) {
    EXPECT_EQ(parameter_time(""), WallTime{});
    EXPECT_EQ(parameter_time("1700000000"), WallTime(std::chrono::seconds(1'700'000'000)));
    EXPECT_EQ(parameter_time("1700000000.5"), WallTime(std::chrono::milliseconds(1'700'000'000'500)));
    EXPECT_EQ(parameter_time("1700000000.000000001"), WallTime(std::chrono::seconds(1'700'000'000) + Nanoseconds(1)));
    EXPECT_EQ(parameter_time("2023-11-14T22:13:20Z"), WallTime(std::chrono::seconds(1'700'000'000)));
    for (const char* bad : {"x", "1.", ".5", "1.0000000001", "1.x", "1e9", "99999999999", "99999999999999999999", " 1",
                            "1 ", "-1", "2023-13-01T00:00:00Z", "2023-"}) {
        message_of([&] { parameter_time(bad); });
    }
}

TEST(Frames, BeginWithTheStreamAndTheSize) {
    EXPECT_EQ(frame(StreamKind::err, "abc"), std::string("\x02\0\0\0\0\0\0\x03", 8) + "abc");
    EXPECT_EQ(frame(StreamKind::out, std::string(0x10203, 'x')).substr(0, 8),
              std::string("\x01\0\0\0\0\x01\x02\x03", 8));
}

TEST(RequestFlag, IsTrueAsDockerReadsIt) {
    for (const char* yes : {"1", "true", "True", "yes", "x"}) EXPECT_TRUE(with_query("all", yes).flag("all")) << yes;
    for (const char* no : {"", "0", "no", "false", "False", "NONE"})
        EXPECT_FALSE(with_query("all", no).flag("all")) << no;
    EXPECT_FALSE(Request{}.flag("all"));
    EXPECT_TRUE(Request{}.flag("all", true));
}

}  // namespace
}  // namespace kedge::api
