#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace kedge::oci {

using Json = nlohmann::json;

/// A value in a configuration that others wrote, together with where it stands: what is wrong with it is an Error that
/// names the place (`config.json: process.args[1]: must be a string`). The JSON must outlive it.
class Field {
public:
    Field(const Json& value, std::string path) : value_(&value), path_(std::move(path)) {}

    /// Whether it is there; `null` counts as not.
    bool given() const { return value_ && !value_->is_null(); }
    explicit operator bool() const { return given(); }

    /// A member, which may be missing. Of what isn't given nothing is. Error for what is no object.
    Field operator[](const char* name) const;
    /// A member that has to be there.
    Field need(const char* name) const;
    std::vector<std::pair<std::string, Field>> members() const;
    std::vector<Field> items() const;

    std::string text() const;
    std::string text_or(const std::string& otherwise) const { return given() ? text() : otherwise; }
    std::vector<std::string> texts() const;
    bool flag() const;  ///< false if it isn't given

    /// A whole number in the range of the type.
    template <typename Number>
    Number number() const {
        return number_between<Number>(std::numeric_limits<Number>::min(), std::numeric_limits<Number>::max());
    }
    template <typename Number>
    Number number_between(Number least, Number most) const {
        if (!value_ || !value_->is_number_integer()) wrong_type("a whole number");
        bool fits = false;
        if (value_->is_number_unsigned())
            fits = std::in_range<Number>(value_->get<uint64_t>()) && value_->get<Number>() >= least;
        else
            fits = std::in_range<Number>(value_->get<int64_t>()) && value_->get<Number>() >= least;
        if (!fits || value_->get<Number>() > most)
            refuse(value_->dump() + " is not between " + std::to_string(least) + " and " + std::to_string(most));
        return value_->get<Number>();
    }
    template <typename Number>
    Number number_or(Number otherwise) const {
        return given() ? number<Number>() : otherwise;
    }

    /// Error for what is there but has no meaning here: it is never passed over.
    void must_not_be_given(const std::string& why) const {
        if (given()) refuse(why);
    }
    [[noreturn]] void refuse(const std::string& what) const;

    const std::string& path() const { return path_; }
    const Json& json() const { return *value_; }

private:
    Field(const Json* value, std::string path) : value_(value), path_(std::move(path)) {}
    [[noreturn]] void wrong_type(const char* wanted) const;

    const Json* value_;
    std::string path_;
};

/// Parses a text that others wrote; `name` is what errors begin with.
Json parse_json(const std::string& text, const std::string& name);

}  // namespace kedge::oci
