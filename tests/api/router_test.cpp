#include "api/router.h"

#include <gtest/gtest.h>

namespace kedge::api {
namespace {

class RouterTest : public testing::Test {
public:
    void SetUp() override {
        for (const char* pattern :
             {"/images/json", "/images/{name...}/json", "/images/{name...}", "/containers/{id}/json", "/"}) {
            router.add("GET", pattern, [pattern](const Request& request) {
                Response response;
                response.body = pattern;
                for (const auto& [name, value] : request.captures) response.body += " " + name + "=" + value;
                return response;
            });
        }
        router.add("POST", "/containers/{id}/start", [](const Request&) { return Response{}; });
    }
    Response ask(const std::string& path, const std::string& method = "GET") const {
        Request request;
        request.method = method;
        request.path = path;
        return router.route(request);
    }
    Router router;
};

TEST_F(RouterTest, ImageNamesMayHaveSlashesAndTheFirstRouteThatFitsWins) {
    EXPECT_EQ(ask("/images/json").body, "/images/json");
    EXPECT_EQ(ask("/images/json/json").body, "/images/{name...}/json name=json");
    EXPECT_EQ(ask("/images/host:5000/a/b:1/json").body, "/images/{name...}/json name=host:5000/a/b:1");
    EXPECT_EQ(ask("/images/a/json/json").body, "/images/{name...}/json name=a/json");
    EXPECT_EQ(ask("//containers///web/json/").body, "/containers/{id}/json id=web") << "empty segments are nothing";
    EXPECT_EQ(ask("/").body, "/");
}

TEST_F(RouterTest, UnknownPathsAndMethodsAreToldApart) {
    for (const char* path :
         {"/nothing", "/containers", "/containers/a/b/json", "/containers/json/x", "/images", "/Images/json"}) {
        EXPECT_EQ(ask(path).status, 404) << path;
        EXPECT_EQ(ask(path).body, "{\"message\":\"page not found\"}\n");
    }
    EXPECT_EQ(ask("/containers/web/start").status, 405);
    EXPECT_EQ(ask("/containers/web/json", "DELETE").status, 405);
    EXPECT_EQ(ask("/containers/web/json", "get").status, 405) << "methods are case-sensitive";
}

TEST_F(RouterTest, HeadIsServedByGet) {
    EXPECT_EQ(ask("/images/json", "HEAD").status, 200);
    EXPECT_EQ(ask("/containers/web/start", "HEAD").status, 405);
}

TEST_F(RouterTest, AVeryLongPathIsOnlyAPath) {
    std::string path;
    for (int i = 0; i < 10'000; ++i) path += "/a";
    EXPECT_EQ(ask("/images" + path + "/json").status, 200);
    EXPECT_EQ(ask(path).status, 404);
}

}  // namespace
}  // namespace kedge::api
