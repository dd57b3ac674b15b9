#include "runtime/oci/json_field.h"

#include "base/error.h"

namespace kedge::oci {

void Field::refuse(const std::string& what) const {
    throw Error(Code::invalid_argument, path_ + ": " + what);
}

void Field::wrong_type(const char* wanted) const {
    if (!given()) refuse(std::string("is missing: it must be ") + wanted);
    refuse(std::string("must be ") + wanted + ", not " + value_->type_name());
}

Field Field::operator[](const char* name) const {
    // The file's name stands before the first member.
    std::string path = path_ + (path_.ends_with(": ") ? "" : ".") + name;
    if (!given()) return Field(nullptr, std::move(path));
    if (!value_->is_object()) wrong_type("an object");
    auto found = value_->find(name);
    return Field(found == value_->end() ? nullptr : &*found, std::move(path));
}

Field Field::need(const char* name) const {
    Field member = (*this)[name];
    if (!member.given()) member.refuse("is missing");
    return member;
}

std::vector<std::pair<std::string, Field>> Field::members() const {
    std::vector<std::pair<std::string, Field>> result;
    if (!given()) return result;
    if (!value_->is_object()) wrong_type("an object");
    for (const auto& [name, value] : value_->items()) {
        if (name.find('\0') != std::string::npos) refuse("a name has a zero byte in it");
        result.emplace_back(name, Field(value, path_ + "[\"" + name + "\"]"));
    }
    return result;
}

std::vector<Field> Field::items() const {
    std::vector<Field> result;
    if (!given()) return result;
    if (!value_->is_array()) wrong_type("an array");
    for (size_t i = 0; i < value_->size(); i++)
        result.push_back(Field((*value_)[i], path_ + "[" + std::to_string(i) + "]"));
    return result;
}

std::string Field::text() const {
    if (!given() || !value_->is_string()) wrong_type("a string");
    std::string text = value_->get<std::string>();
    if (text.find('\0') != std::string::npos) refuse("has a zero byte in it");
    return text;
}

std::vector<std::string> Field::texts() const {
    std::vector<std::string> result;
    for (const Field& item : items()) result.push_back(item.text());
    return result;
}

bool Field::flag() const {
    if (!given()) return false;
    if (!value_->is_boolean()) wrong_type("true or false");
    return value_->get<bool>();
}

Json parse_json(const std::string& text, const std::string& name) {
    try {
        return Json::parse(text);
    } catch (const Json::exception& e) {
        std::string why = e.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
        if (size_t end = why.find("] "); end != std::string::npos) why.erase(0, end + 2);
        throw Error(Code::invalid_argument, name + ": " + why);
    }
}

}  // namespace kedge::oci
