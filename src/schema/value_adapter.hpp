// How valijson sees a Boost.JSON value. Private to schema.
//
// valijson's own adapter for Boost.JSON cuts strings at a NUL and hides the value from custom
// constraints; this one gives the value itself, which is all that our constraints need.
#pragma once

#include "base/check.hpp"

#include <boost/json/value.hpp>
#include <valijson/internal/adapter.hpp>
#include <valijson/internal/basic_adapter.hpp>
#include <valijson/internal/frozen_value.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace flexcore::schema_detail {

class value_adapter;
using member_adapter = std::pair<std::string, value_adapter>;

/// Walks the elements of an array or the members of an object.
template <class Under, class Adapted>
class adapter_iterator {
public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = Adapted;
    using difference_type = std::ptrdiff_t;
    using pointer = Adapted*;
    using reference = Adapted&;

    explicit adapter_iterator(Under at) : at_{at} {}
    Adapted operator*() const;
    valijson::adapters::DerefProxy<Adapted> operator->() const {
        return valijson::adapters::DerefProxy<Adapted>(**this);
    }
    bool operator==(const adapter_iterator&) const = default;
    adapter_iterator& operator++() {
        ++at_;
        return *this;
    }
    adapter_iterator operator++(int) { return adapter_iterator{at_++}; }
    adapter_iterator& operator--() {
        --at_;
        return *this;
    }
    void advance(std::ptrdiff_t n) { at_ += n; }

private:
    Under at_;
};

class array_adapter {
public:
    using const_iterator = adapter_iterator<boost::json::array::const_iterator, value_adapter>;
    using iterator = const_iterator;

    array_adapter() = default;
    explicit array_adapter(const boost::json::array& a) : array_{&a} {}
    [[nodiscard]] const_iterator begin() const { return const_iterator{array_->begin()}; }
    [[nodiscard]] const_iterator end() const { return const_iterator{array_->end()}; }
    [[nodiscard]] std::size_t size() const { return array_->size(); }

private:
    static inline const boost::json::array empty_;
    const boost::json::array* array_ = &empty_;
};

class object_adapter {
public:
    using const_iterator = adapter_iterator<boost::json::object::const_iterator, member_adapter>;
    using iterator = const_iterator;

    object_adapter() = default;
    explicit object_adapter(const boost::json::object& o) : object_{&o} {}
    [[nodiscard]] const_iterator begin() const { return const_iterator{object_->begin()}; }
    [[nodiscard]] const_iterator end() const { return const_iterator{object_->end()}; }
    [[nodiscard]] const_iterator find(const std::string& name) const {
        return const_iterator{object_->find(name)};
    }
    [[nodiscard]] std::size_t size() const { return object_->size(); }

private:
    static inline const boost::json::object empty_;
    const boost::json::object* object_ = &empty_;
};

/// The interface that valijson's BasicAdapter asks for.
class value_access {
public:
    value_access() = default;
    explicit value_access(const boost::json::value& v) : value_{&v} {}
    [[nodiscard]] valijson::adapters::FrozenValue* freeze() const {
        FLEXCORE_CHECK(!"enum and const are leaf keywords: valijson never keeps a value");
        return nullptr;
    }
    [[nodiscard]] std::optional<array_adapter> getArrayOptional() const {
        if (!isArray()) return {};
        return array_adapter{value_->get_array()};
    }
    [[nodiscard]] std::optional<object_adapter> getObjectOptional() const {
        if (!isObject()) return {};
        return object_adapter{value_->get_object()};
    }
    [[nodiscard]] bool getArraySize(std::size_t& out) const {
        return isArray() && (out = value_->get_array().size(), true);
    }
    [[nodiscard]] bool getObjectSize(std::size_t& out) const {
        return isObject() && (out = value_->get_object().size(), true);
    }
    [[nodiscard]] bool getBool(bool& out) const {
        return isBool() && (out = value_->get_bool(), true);
    }
    [[nodiscard]] bool getDouble(double& out) const {
        return isDouble() && (out = value_->get_double(), true);
    }
    [[nodiscard]] bool getInteger(std::int64_t& out) const {
        return isInteger() && (out = value_->get_int64(), true);
    }
    [[nodiscard]] bool getString(std::string& out) const {
        return isString() && (out = std::string{value_->get_string()}, true);
    }
    [[nodiscard]] static bool hasStrictTypes() { return true; }
    [[nodiscard]] bool isArray() const { return value_->is_array(); }
    [[nodiscard]] bool isBool() const { return value_->is_bool(); }
    [[nodiscard]] bool isDouble() const { return value_->is_double(); }
    [[nodiscard]] bool isInteger() const { return value_->is_int64(); }
    [[nodiscard]] bool isNull() const { return value_->is_null(); }
    [[nodiscard]] bool isNumber() const { return value_->is_number(); }
    [[nodiscard]] bool isObject() const { return value_->is_object(); }
    [[nodiscard]] bool isString() const { return value_->is_string(); }

private:
    static inline const boost::json::value null_;
    const boost::json::value* value_ = &null_;
};

class value_adapter final
    : public valijson::adapters::BasicAdapter<value_adapter, array_adapter, member_adapter,
                                              object_adapter, value_access> {
public:
    value_adapter() = default;
    explicit value_adapter(const boost::json::value& v)
        : BasicAdapter{value_access{v}}, value_{&v} {}
    /// Only of an adapter that was made of a value.
    [[nodiscard]] const boost::json::value& json() const { return *value_; }

private:
    const boost::json::value* value_ = nullptr;
};

template <>
inline value_adapter array_adapter::const_iterator::operator*() const {
    return value_adapter{*at_};
}
template <>
inline member_adapter object_adapter::const_iterator::operator*() const {
    return {std::string{at_->key()}, value_adapter{at_->value()}};
}

}  // namespace flexcore::schema_detail

template <>
struct valijson::adapters::AdapterTraits<flexcore::schema_detail::value_adapter> {
    using DocumentType = boost::json::value;
    static std::string adapterName() { return "value_adapter"; }
};
